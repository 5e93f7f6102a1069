/**
 * Ctrl-C and the end of a terminal reach the whole process group; the parent decides what they mean. Loaded before llama.cpp, which takes
 * a second: until then a signal would end the process.
 */
for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => undefined);
