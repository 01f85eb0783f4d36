model "q" { source = "a" }
policy "p" {
  kv {
    when = context == 4096
    type = "INT8"
  }
  kv {
    when = context <= 4096 || attention == "full"
    type = "INT8"
  }
  kv {
    when = attention == "full" && !(context <= 4096)
    type = "INT8"
  }
  kv {
    when = context <= layers * 100
    type = "INT8"
  }
  kv {
    when = context + 1 <= 100
    type = "INT8"
  }
  kv {
    when = context < "many"
    type = "INT8"
  }
  kv {
    when = context < 1e20
    type = "INT8"
  }
  kv {
    when = age < context
    type = "INT8"
  }
  kv {
    when = role == "expert"
    type = "INT8"
  }
  kv {
    when = context
    type = "INT8"
  }
  kv {
    when = layer
    type = "INT8"
  }
}
