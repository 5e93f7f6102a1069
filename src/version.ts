/** Version of the package, as in package.json. Part of every score's signature. */
export const version = "0.1.0";
