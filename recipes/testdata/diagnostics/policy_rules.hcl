model "q" { source = "hf://a/b" }
policy "p" { mix = "Q4_K_M" }
stage "quantize" "z" {
  model  = model.q
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}
stage "calibrate" "c" {
  model = model.q
  text  = {}
}
policy "r" {
  evidence = stage.calibrate.c
  tensor {
    when = roll == "router"
    type = "q8_0"
  }
  tensor {
    when = expert.shares > 0.1
    type = "q8_0"
  }
  tensor {
    when = stage.calibrate.c
    type = "q8_0"
  }
  tensor {
    when = layer
    type = "q8_0"
  }
  tensor {
    when = role > 3
    type = "q8_0"
  }
  tensor {
    when = null
    type = "q8_0"
  }
  tensor {
    when = role == "expert" && 1 / layer > 0.5
    type = "q8_0"
  }
  tensor {
    when = context < 3
    type = "q8_0"
  }
  tensor {
    when = each.key == "x"
    type = role
  }
}
policy "no_evidence" {
  tensor {
    when = role == "expert" && expert.rank < 0.5
    type = "q8_0"
  }
}
policy "no_evidence_too" {
  tensor {
    when = layer_importance > 1 || sensitivity > 2
    type = "q8_0"
  }
}
policy "base" {
  tensor {
    when = expert.share > 0.1
    type = "q8_0"
  }
}
policy "child" {
  inherit  = policy.base
  evidence = stage.calibrate.c
}
