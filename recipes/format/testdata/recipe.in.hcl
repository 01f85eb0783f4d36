

# A recipe as people type it.
variable "model" {

  type = string
    default = "hf://Qwen/Qwen3-30B-A3B"
description="A hub id, a folder or a GGUF."   

}



model "qwen3" { source = var.model }
policy "ultra" {
  mix = "Q3_K_M"   
  evidence = stage.calibrate.balanced # measured


  tensor {
    when = role=="router"   # small
    type="INT8"
  }
  tensor {
    when = role == "expert"&&expert.rank<0.20
    type = var.small?"INT3":"INT4"

  }
}

locals {
  names = [for k,v in var.map:"${k}-${ v }"]
  prompt = <<-EOT
      Keep   


      this
  EOT
  list = [

    1,


    2,
  ]
  /* and
     this   */
  call = merge( { a=1 }, {b = -1} )
}
# the end
