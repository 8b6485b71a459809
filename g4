models/en.safetensors|
models/en.safetensors|--lm-weight 0 --token-bonus 0
models/en.safetensors|--search ctc --lm-weight 0
models/en.safetensors|--search ctc --token-bonus 3
models/en.safetensors|--search ctc --lm-weight 0.9 --token-bonus 3
models/en.safetensors|--search ctc --lm-weight 1.2 --token-bonus 2
models/en.safetensors|--precision f32
models/en.safetensors|--precision bf16
models/en.safetensors|--chunk 160
models/en.safetensors|--chunk 320
models/en.safetensors|--chunk 1280
models/en.safetensors|--beam 128
models/en.safetensors|--beam 32
models/en.safetensors|--beam 16
models/en.safetensors|--beam 8
