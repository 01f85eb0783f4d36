dataset "d" { files = [] }
stage "all" "a" {
  must { name = "wrong" }
}
validate "v" {
  baseline  = dataset.d
  candidate = stage.all.a
}
