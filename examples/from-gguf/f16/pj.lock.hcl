# Written by pj; keep it in git.
version = 1

model "model.nano" {
  source = "../../models/nano-qwen3moe"
  digest = "blake3:4af165deb8e72b72a67ed59e45e15dc874757f06ced451b5486a78a852ffa082"
}
