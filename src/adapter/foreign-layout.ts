import type { ErrorParts } from "../errors.js";

/** What holds LoRA weights, or weights, but is not a PEFT adapter of a language model. */
export type ForeignLayout = "mlx" | "image" | "model";

const IMAGE = [
  // kohya, LyCORIS and diffusers' older form
  /^lora_(?:unet|te\d?|text_encoder|transformer|prior)_/,
  /\.(?:lora_down|lora_up|lora\.down|lora\.up|to_\w+_lora\.(?:down|up))\./,
  /\.(?:hada_w\d|lokr_w\d)/,
  // diffusers' PEFT form
  /^(?:unet|transformer|text_encoder\w*|diffusion_model|prior)\..*\.lora_[AB]\./,
];

/** The layout that the tensors' names show, or undefined where it may be PEFT's. */
export function foreignLayout(names: readonly string[]): ForeignLayout | undefined {
  if (names.some((name) => /\.lora_[ab]$/.test(name))) return "mlx";
  const isDecoder = (name: string): boolean => /^transformer\.(?:h|blocks|layers|encoder)\./.test(name);
  if (names.some((name) => !isDecoder(name) && IMAGE.some((expression) => expression.test(name)))) return "image";
  const isAdapter = names.some((name) => /lora|ia3|prompt_embeddings|adapter/i.test(name));
  return names.length > 0 && !isAdapter ? "model" : undefined;
}

/** What such a file or folder is, and what to do about it. */
export function foreignParts(layout: ForeignLayout, path: string): ErrorParts {
  const parts: Record<ForeignLayout, ErrorParts> = {
    mlx: {
      what: `${path} holds weights of an mlx-lm adapter without a configuration that says how they are scaled`,
      expected: "adapters.safetensors and the adapter_config.json that mlx-lm wrote with it",
      fix: "Put the adapter_config.json of the same training into the folder, and give the folder.",
    },
    image: {
      what: `${path} is a LoRA for an image model (kohya or diffusers), not for a language model`,
      fix: "Give a LoRA adapter of a language model: a GGUF file or a PEFT folder.",
    },
    model: {
      what: `${path} holds the weights of a whole model, without any LoRA tensors`,
      fix:
        "Give the adapter folder that training saved (adapter_config.json and adapter_model.safetensors). " +
        "Once an adapter is merged into a model, it cannot be taken out again.",
    },
  };
  return parts[layout];
}
