import { nameSettingsAsFlags } from "../../src/errors.js";

// Most tests look at messages as the command line shows them.
nameSettingsAsFlags();
