# Written by pj; keep it in git.
version = 1

model "model.nano" {
  source = "../models/nano-gptoss"
  digest = "blake3:8422bc0dd784c7f29bf7b4bc85541ef9eaeae404d4ef0d2e070527ca37a403f6"
}
