import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "coverage", "runs", "node_modules", "**/*.mjs", "eslint.config.js"] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "no-console": "error",
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["node-llama-cpp", "koffi"], message: "only src/engine may load native libraries" }] },
      ],
    },
  },
  { files: ["src/engine/**", "test/**", "eval/**"], rules: { "no-restricted-imports": "off" } },
  { files: ["test/**", "eval/**"], rules: { "no-console": "off", "@typescript-eslint/no-non-null-assertion": "off" } },
);
