"""Prints what llama.cpp makes of names and sizes. usage: names.py LLAMA_CPP"""
import sys, json
sys.path.insert(0, sys.argv[1] + "/gguf-py")
import gguf
ids = [("Qwen/Qwen3-30B-A3B",30532122624),("Qwen3-30B-A3B-Instruct-2507",30532122624),("openai/gpt-oss-20b",20914757184),("gpt-oss-120b",116829156672),
("meta-llama/Llama-2-7b-chat-hf",6738415616),("Meta-Llama-3.1-8B-Instruct",8030261248),("bigscience/bloom-7b1-petals",7069016064),("bigscience/bloom-7b1",7069016064),
("Mistral-7B-Instruct-v0.2",7241732096),("Mixtral-8x7B-v0.1",46702792704),("NousResearch/Meta-Llama-3-8B",8030261248),("Phi-3-mini-4k-instruct",3821079552),
("Phi-3-medium-128k-instruct",13960238080),("stories260K",260000),("some model with spaces",7),("./local/x",7),("../x-7B",7000000000),("qwen3moe",5),
("Qwen1.5-MoE-A2.7B-Chat",14315784192),("DeepSeek-R1-Distill-Qwen-1.5B",1777088000),("TinyLlama-1.1B-Chat-v1.0",1100048384),("smollm2-135M-instruct",134515008),
("SmolLM2-360M",361821120),("hf-internal-testing/tiny-random-LlamaForCausalLM",1032272),("Yarn-Llama-2-7b-64k",6738415616),("dolphin-2.9-llama3-8b",8030261248),
("Nous-Hermes-2-Mixtral-8x7B-DPO",46702792704),("gpt2-xl",1557611200),("gpt2-medium",354823168),("model-v1.5-q4_K_M",7000000000),("A-B-C",1),("-7B-",7000000000),("Granite-3_0-8B",8000000000),
("opt-0_125B",125000000),("foo-4T",100),("foo-12xs",100),("Falcon3-7B-Base-fp16",7000000000),("Hermes-3-iter2-8B",8000000000),("X-1B-1B-2B",1000000000),("Éclair-7B",7000000000),
("gemma-2-9b-it",9241705984),("nano-qwen3moe",4527616),("a",0),("b-7B",0),("c-7b-8x7b-128k-mini",7000000000),("c-mini-large",7000000000),("V2-Lite",1000)]
out = []
for i, n in ids:
    full, org, base, fine, ver, size = gguf.Metadata.get_model_id_components(i, n)
    out.append([i, n, full or "", org or "", base or "", fine or "", ver or "", size or "", gguf.Metadata.id_to_title(full) if full else ""])
labels = [[n, s, e, c, gguf.size_label(n, s, e, c)] for n, s, e, c in [(30532122624,1541093376,226492416,128),(20914757184,1804459584,597196800,32),(7241732096,7241732096,0,0),(260032,260032,0,0),(9999999,9999999,0,0),(995_000_000_000_0,995_000_000_000_0,0,0),(1000000,1000000,0,0),(500,500,0,0),(94999,94999,0,0),(2500000,2500000,0,0),(1450000000,0,0,0),(999_600_000,999_600_000,0,0)]]
json.dump({"ids": out, "labels": labels}, sys.stdout, ensure_ascii=False, indent=0)
