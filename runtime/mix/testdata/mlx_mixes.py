# Prints testdata/mlx_mixes.json: what mlx-lm chooses for the modules of models,
# in the order of modulesOf in mlx_test.go. Needs mlx-lm.
import json

from mlx_lm.convert import mixed_quant_predicate_builder


def model(kind, layers):
    p = []
    if kind != 'nested': p.append('model.embed_tokens')
    pre = 'language_model.model' if kind == 'nested' else 'model'
    if kind == 'nested': p.append(pre + '.embed_tokens')
    for n in range(layers):
        b = f'{pre}.layers.{n}'
        p += [f'{b}.self_attn.{x}_proj' for x in ['q', 'k', 'v', 'o']]
        if kind == 'deepseek': p += [f'{b}.self_attn.q_a_proj', f'{b}.self_attn.kv_a_proj_with_mqa', f'{b}.self_attn.kv_b_proj']
        if kind == 'qwen3_moe': p += [f'{b}.mlp.gate'] + [f'{b}.mlp.switch_mlp.{x}_proj' for x in ['gate', 'up', 'down']]
        elif kind == 'gpt_oss': p += [f'{b}.mlp.router'] + [f'{b}.mlp.experts.{x}_proj' for x in ['gate', 'up', 'down']]
        else: p += [f'{b}.mlp.{x}_proj' for x in ['gate', 'up', 'down']]
    p.append('language_model.lm_head' if kind == 'nested' else 'lm_head')
    return p
class M:
    def __init__(s, paths, layers): s.paths, s.layers = paths, [0] * layers
    def named_modules(s): return [(x, None) for x in s.paths]
out = []
for kind, layers in [('qwen3_moe', 4), ('qwen3_moe', 48), ('gpt_oss', 24), ('llama', 1), ('llama', 5), ('llama', 32), ('deepseek', 27), ('nested', 7)]:
    paths = model(kind, layers)
    for recipe in ['mixed_2_6', 'mixed_3_4', 'mixed_3_6', 'mixed_4_6']:
        try:
            f = mixed_quant_predicate_builder(recipe, M(paths, layers), 64)
            bits = ''.join(str(f(x, None)['bits']) for x in paths)
        except ValueError as e:
            bits = 'refused'
        out.append({'recipe': recipe, 'model': kind, 'layers': layers, 'bits': bits})

print('[\n' + ',\n'.join(json.dumps(o) for o in out) + '\n]')
