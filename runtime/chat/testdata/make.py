"""Renders conversations with the templates here by Jinja2 (Python), set up as
transformers does, and writes them to jinja2.json. Run: python3 make.py"""
import glob
import json
import sys
from datetime import datetime

sys.path.insert(0, "../jinja/testdata")
import make as snippets

TOOL = {"type": "function", "function": {"name": "find", "description": "Finds <things> & \"more\".", "parameters": {"type": "object", "properties": {
    "q": {"type": "string", "description": "What?", "enum": ["a", "é"], "default": "a"}, "n": {"type": "integer", "default": 3}, "tags": {"type": "array", "items": {"type": "string"}},
    "any": {"type": "array"}, "deep": {"type": "object", "properties": {"x": {"type": "number", "nullable": True}}, "required": ["x"]}, "u": {"oneOf": [{"type": "string", "description": "s"}, {"type": "number", "default": 1.5}]}, "w": {"type": ["string", "null"]}}, "required": ["q"]}}}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "find", "arguments": {"q": "ü", "n": 2, "deep": {"x": None}, "ok": True, "l": [1, 2.0]}}}]}
CHATS = [
    {"messages": [{"role": "user", "content": "Hi"}]},
    {"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": True},
    {"messages": [{"role": "system", "content": "Be brief.\n"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nb"}, {"role": "user", "content": "c"}], "add_generation_prompt": True},
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "thinking": "t", "reasoning_content": "r"}]},
    {"messages": [{"role": "developer", "content": "d"}, {"role": "user", "content": "a"}], "tools": [TOOL], "add_generation_prompt": True, "reasoning_effort": "high"},
    {"messages": [{"role": "user", "content": "a"}], "tools": [TOOL, TOOL], "enable_thinking": False, "add_generation_prompt": True},
    {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, CALL, {"role": "tool", "content": "found"}, {"role": "assistant", "content": "done"}, {"role": "user", "content": "more"}], "tools": [TOOL], "add_generation_prompt": True},
    {"messages": [{"role": "user", "content": "a"}, CALL, {"role": "tool", "content": {"k": [1, "é"]}}, {"role": "tool", "content": "two"}], "tools": [TOOL], "add_generation_prompt": True},
    {"messages": [{"role": "user", "content": "a"}], "builtin_tools": ["browser", "python"], "model_identity": "You are X.", "reasoning_effort": "low", "add_generation_prompt": True},
    {"messages": [{"role": "user", "content": "日本語 😀 \u00a0"}], "tools": [], "add_generation_prompt": True},
    {"messages": []},
    {"messages": [{"role": "odd", "content": "x"}]},
    {"messages": [{"role": "user", "content": None}]},
]


def main():
    env = snippets.environment()
    env.globals["strftime_now"] = lambda f: datetime(2025, 8, 5, 12).strftime(f)
    out = []
    for path in sorted(glob.glob("*.jinja")):
        template = env.from_string(open(path).read())
        for chat in CHATS:
            case = {"template": path[: -len(".jinja")], "context": chat}
            try:
                vars = {"tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
                case["text"] = template.render(**{**vars, **json.loads(json.dumps(chat))})
            except Exception as e:
                case["error"] = str(e)
            out.append(case)
    json.dump(out, open("jinja2.json", "w"), ensure_ascii=False, indent=1)


main()
