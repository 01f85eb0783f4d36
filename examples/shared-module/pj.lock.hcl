# Written by pj; keep it in git.
version = 1

model "model.nano" {
  source = "../models/nano-qwen3moe"
  digest = "blake3:4af165deb8e72b72a67ed59e45e15dc874757f06ced451b5486a78a852ffa082"
}

module "module.moe" {
  source = "git::https://git.example.org/recipes.git//moe?ref=v1.0.0"
  commit = "06c63085fc3d3a568a3f7a92c71261e2acc1b729"
  digest = "blake3:627ed21b04583a277175746fca99ffb53627071d9ee4161c52f83d1ce669adfc"
}
