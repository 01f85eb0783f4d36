# Written by pj; keep it in git.
version = 1

model "model.qwen3" {
  source   = "hf://Qwen/Qwen3-30B-A3B"
  revision = "0123456789012345678901234567890123456789"
  digest   = "blake3:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

  file "config.json" {
    size   = 963
    sha256 = "1111111111111111111111111111111111111111111111111111111111111111"
  }

  file "tokenizer.json" {
    size   = 11422654
    sha256 = "2222222222222222222222222222222222222222222222222222222222222222"
  }
}

model "model.x[\"a $${b}\"]" {
  source = "./with \"quotes\"\tand %%{ more"
}

model "module.m.model.base" {
  source = "../base.gguf"
  digest = "blake3:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
}

module "module.near" {
  source = "./near"
  digest = "blake3:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
}

module "module.ultra" {
  source = "git::https://git.example.org/recipes.git//qwen3/ultra?ref=v1.4.0"
  commit = "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"
  digest = "blake3:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
}

evidence "stage.calibrate.balanced" {
  output = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
}
