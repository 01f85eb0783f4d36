# gpt-oss is published with its experts in MXFP4 and everything else in BF16.
# One file keeps all of that as it is; the other one quantizes everything anew.

model "nano" {
  source = "../models/nano-gptoss" # or "hf://openai/gpt-oss-20b"
}

policy "published" {
  mix      = "BF16"
  preserve = true # MXFP4 stays MXFP4, to the bit
}

policy "small" {
  mix = "Q4_K_M"
}

stage "quantize" "all" {
  for_each = {
    published = policy.published
    small     = policy.small
  }
  model  = model.nano
  policy = each.value
}

artifact "gguf" "all" {
  for_each = stage.quantize.all
  from     = each.value
  path     = "nano-gptoss-${each.key}.gguf"
}

validate "published" {
  candidate = artifact.gguf.all["published"]

  error { max_relative_rmse = 0 } # nothing was changed
}

validate "small" {
  candidate = artifact.gguf.all["small"]

  size { max_bits_per_weight = 6.5 } # rows of 288 weights fit the larger types only
  error { max_relative_rmse = 0.05 }
}

report "all" {
  of = [validate.published, validate.small]
}
