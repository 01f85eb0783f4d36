# A recipe that another team keeps in git does the quantizing. pj.lock.hcl pins
# it by commit and content; `pj lock --upgrade` moves the pin.

model "nano" {
  source = "../models/nano-qwen3moe"
}

module "moe" {
  source = "git::https://git.example.org/recipes.git//moe?ref=v1.0.0"
  model  = model.nano
  mix    = "Q5_K_M"
}

artifact "gguf" "nano" {
  from = module.moe.weights
  path = "nano-qwen3moe-shared.gguf"
}
