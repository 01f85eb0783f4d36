# A mistake in one place hides none in another.
model "m" {
  source     = "m"
  requantize = "perhaps"
}
policy "round" {
  inherit = policy.about
  mix     = "Q4_K_X"
}
policy "about" {
  inherit = policy.round
  default = "q4_kk"
}
policy "evidence" {
  evidence = imatrix()
  mix      = "Q4_K_Y"
  tensor {
    when = expert.share > 0.1
    type = "q9"
  }
}
policy "child" {
  inherit = policy.evidence
  tensor {
    when = expert.share > 0.2
    type = "q8_0"
  }
}
stage "quantize" "z" {
  model  = policy.child
  policy = model.m
  effort = "hard"
}
artifact "gguf" "a" {
  from  = stage.quantize.z
  path  = "../a.gguf"
  split = "lots"
}
artifact "gguf" "b" {
  from = model.m
  path = "/b.gguf"
}
locals {
  # One mistake, a thousand times, is one.
  loop = [for i in range(1024) : format("%99999s", i)]
  next = parseint("z", 99)
}
