/** The service of the model, which is its name in the network that it shares with the bundle. */
export const MODEL_SERVICE = 'vllm-sidecar';
export const MODEL_PORT = 8000;
export const MODEL_URL = `http://${MODEL_SERVICE}:${MODEL_PORT}/v1`;

/** Networks of the Compose file. `weights` leads out, and is there only where the model may load weights. */
export const MODEL_NETWORK = 'model';
export const WEIGHTS_NETWORK = 'weights';

/** Pinned: what a model server does is part of what the bottle was tested with. */
export const GPU_IMAGE = 'vllm/vllm-openai:v0.28.0';
export const CPU_IMAGE = 'vllm/vllm-openai-cpu:v0.28.0';
