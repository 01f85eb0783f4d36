"""Renders the snippets below with Jinja2 (Python), set up as transformers does,
and writes them with their outcome to jinja2.json. Run: python3 make.py"""
import json
from datetime import datetime
import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import SandboxedEnvironment

CONTEXT = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi  <b>\n"}, {"role": "assistant", "content": "Hello", "n": 3}],
    "s": "Hello World", "u": "Grüße 中文 😀", "n": 7, "f": 2.5, "t": True, "z": None, "l": [3, 1, 2], "e": [], "d": {"b": 1, "a": {"x": [1, 2.0, None, "q'"]}, "items": "key"},
    "people": [{"name": "Bo", "age": 30}, {"name": "al", "age": 25}, {"name": "Cy", "age": 30}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"é": {"type": "string"}}}}}],
}

SNIPPETS = r"""
plain text
{{ s }}|{{ n }}|{{ f }}|{{ t }}|{{ z }}|{{ l }}|{{ d }}|{{ missing }}|
{{ 1.0 }} {{ 1e20 }} {{ 1e16 }} {{ 123456789.123 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 10 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 0x1F }} {{ 1_000 }}
{{ 'a' 'b' }} {{ "it's" }} {{ 'q\"\'\\' }} {{ '\n\t\x41\u00e9\U0001F600\q' }}|
{{ ["it's", 'q"', 'n\n', u, '\x7f\x01'] }}
{{ (1,) }} {{ (1, 'a') }} {{ () }} {{ 1, 2 }} {{ {} }} {{ {'a': [1, {'b': none}], 2: 1.5, none: true} }}
{{ 1 < 2 < 3 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ true == 1 }} {{ 'a' in 'abc' }} {{ 2 in l }} {{ 'b' in d }} {{ 4 not in l }} {{ not t }} {{ not missing }}
{{ n if n > 5 else 'small' }} {{ 'x' if false }}| {{ 'a' if z else 'b' if t else 'c' }} {{ z or 'or' }} {{ n and s }} {{ e or missing or 0 }}
{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[::2] }} {{ l[1:] }} {{ l[::-1] }} {{ l[-2:] }} {{ l[5:] }} {{ l[10] }}| {{ u[0:3] }} {{ messages[0]['content'] }} {{ messages[-1].n }} {{ messages[1:]|length }} {{ (1,2,3)[1:] }} {{ s[:100] }} {{ s[-100:3] }} {{ l[2:0:-1] }}
{{ d.items is callable }} {{ d['items'] }} {{ d.keys()|list }} {{ d.values()|list }} {{ d.get('b') }} {{ d.get('q') }} {{ d.get('q', 5) }} {{ d.a.x[3] }} {{ d.nope is defined }} {{ messages[0]['items'] is defined }} {{ d.a.x.0 }}
{{ -n + 3 * 2 - 1 }} {{ 'a' ~ 1 ~ none ~ 1.5 }} {{ 'ab' * 3 }} {{ [1] * 2 + [3] }} {{ 2 * 'x' }} {{ -2 ** 2 }} {{ 10 - 2 - 3 }} {{ 2 ** 3 ** 2 }}
{{ 1 + 2 ~ 3 }}
{{ s|upper }} {{ s|lower|title }} {{ 'foo bar-baz (qux)'|title }} {{ 'hELLO wORLD'|capitalize }} {{ s|length }} {{ u|length }} {{ '  x '|trim }}| {{ 'xxaxx'|trim('x') }} {{ s|replace('o', '0') }} {{ s|replace('o', '0', 1) }} {{ s|reverse }} {{ s|first }} {{ s|last }} {{ e|first }}| {{ 'ab'|center(6) }}| {{ 'abc'|center(6) }}| {{ s|list|join('-') }}
{{ l|sort }} {{ l|sort(reverse=true) }} {{ ['b', 'A', 'a']|sort }} {{ ['b', 'A', 'a']|sort(case_sensitive=true) }} {{ people|sort(attribute='age')|map(attribute='name')|list }} {{ people|sort(attribute='age,name')|map(attribute='name')|join(',') }} {{ l|max }} {{ l|min }} {{ ['b', 'A']|max }} {{ people|max(attribute='age') }} {{ l|sum }} {{ people|sum(attribute='age') }} {{ l|sum(start=10) }}
{{ [1, 1, 2, 'a', 'A']|unique|list }} {{ people|groupby('age') }} {% for g, items in people|groupby('age') %}{{ g }}:{{ items|length }} {% endfor %}
{{ people|selectattr('age', 'equalto', 30)|map(attribute='name')|list }} {{ people|rejectattr('age', 'gt', 26)|list }} {{ l|select('odd')|list }} {{ l|reject('odd')|list }} {{ [0, 1, '', 'x']|select|list }} {{ messages|selectattr('n', 'defined')|list|length }} {{ messages|map(attribute='n', default=0)|list }} {{ ['a', 'b']|map('upper')|list }} {{ l|map('string')|join('+') }} {{ messages|selectattr('role', 'in', ['user', 'assistant'])|list|length }} {{ [['a', 1]]|map('last')|list }}
{{ z|default('dflt') }} {{ missing|default('dflt') }} {{ ''|default('dflt', true) }} {{ missing|d(1) }} {{ missing|default }}|
{{ '42'|int }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ '3.9'|int }} {{ 3.9|int }} {{ 'ff'|int(0, 16) }} {{ '1.5'|float }} {{ 'x'|float }} {{ 3|float }} {{ -3|abs }} {{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 2.1|round(0, 'ceil') }} {{ 2.9|round(method='floor') }} {{ 1234.5|round(-2) }} {{ 7|round }}
{{ d|tojson }} {{ s|tojson }} {{ u|tojson }} {{ '<&>\'"/\x00\x1f\x7f'|tojson }} {{ d|tojson(indent=2) }} {{ [1, [], {}]|tojson(indent=4) }} {{ 1.0|tojson }} {{ none|tojson }} {{ tools|tojson }} {{ u|tojson(ensure_ascii=true) }} {{ {'b': 1, 'a': 2}|tojson(sort_keys=true) }} {{ [1, 2]|tojson(separators=(',', ':')) }} {{ {1: 2, none: 3, true: 4}|tojson }}
{{ 'a\nb\n\nc'|indent }}| {{ 'a\nb\n\nc'|indent(2, true) }}| {{ 'a\n\nb'|indent(2, blank=true) }}| {{ 'a\nb'|indent('> ') }}
{{ '%s is %d years, %.2f %5s|%-5s|%05d %x %%'|format('Bo', 30, 1.5, 'r', 'l', 42, 255) }} {{ '%(a)s' % {'a': 1} }} {{ '%s-%s' % ('a', 'b') }} {{ '%s' % 5 }}
{{ '{} {} {0}'.format if false }}{{ '{} {}'.format('a', 1) }} {{ '{1}{0}'.format('a', 'b') }} {{ '{x:>5}|{x:<5}|{x:^5}|{y:.2f}|{y:08.3f}|{z:,}'.format(x='ab', y=3.14159, z=1234567) }} {{ '{{}}'.format() }} {{ '{:*^6}|{:*^7}'.format('abc', 'ab') }}
{{ ' a b '.strip() }}| {{ 'xxaxx'.strip('x') }} {{ 'xxaxx'.lstrip('x') }} {{ 'xxaxx'.rstrip('x') }} {{ 'a,b,,c'.split(',') }} {{ ' a  b c '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a b c'.rsplit(' ', 1) }} {{ 'a b c'.split(maxsplit=1) }} {{ ' a b c '.rsplit(None, 1) }} {{ ' a  b  '.split(none, 1) }} {{ '   '.split(none, 1) }}{{ ' a'.split(none, 0) }}{{ 'a '.rsplit(none, 0) }} {{ 'a\nb\r\nc'.splitlines() }} {{ 'a</think>b'.split('</think>')[-1] }}
{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abc'.find('c') }} {{ 'abc'.find('x') }} {{ 'éabé'.rfind('é') }} {{ 'aXbX'.replace('X', '-') }} {{ 'aXbX'.replace('X', '-', 1) }} {{ 'aab'.count('a') }} {{ '12'.isdigit() }} {{ ''.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ 'AB'.isupper() }} {{ 'ab1'.islower() }} {{ 'they\'re ok'.title() }} {{ 'aB'.swapcase() }} {{ 'ab'.center(5) }}| {{ 'ab'.center(5, '*') }} {{ 'abc'.center(6, '*') }} {{ 'a'.ljust(3) }}| {{ 'a'.rjust(3, '0') }} {{ '-5'.zfill(4) }} {{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ ','.join(['a', 'b']) }} {{ 'ABC'.lower() }} {{ 'abc'.upper() }} {{ 'aBC dE'.capitalize() }}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }};{% endfor %}
{% for x in e %}x{% else %}none{% endfor %} {% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %} {% for k in d %}{{ k }},{% endfor %} {% for c in 'ab' %}{{ c }}.{% endfor %} {% for x in l if x > 1 %}{{ loop.index }}{{ x }} {% endfor %} {% for x in missing %}x{% endfor %} {% for x in range(3) %}{{ x }}{% endfor %}{{ range(1, 10, 3)|list }}{{ range(3, 0, -1)|list }} {% for (a, b) in [(1, 2)] %}{{ a + b }}{% endfor %}
{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{% if loop.last %}{% break %}{% endif %}{{ x }}{% endfor %} {% for m in messages recursive %}{{ m.role }}{% endfor %} {% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}d{{ loop.depth }}{% endif %}{% endfor %} {% for x in [1, 1, 2] %}{{ loop.changed(x) }} {% endfor %}
{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }} {% set ns = namespace(a=1, b=[]) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }} {% set a, b = 1, 2 %}{{ a }}{{ b }} {% if true %}{% set inner = 5 %}{% endif %}{{ inner }} {% set blk %}in {{ s }}{% endset %}[{{ blk }}] {% set up | upper %}abc{% endset %}{{ up }} {% with q = 3, r = 4 %}{{ q + r }}{% endwith %}{{ q }}|
{% macro m(a, b=2, c='x') %}{{ a }}-{{ b }}-{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, c='y') }}{{ m() }}{{ m(a=1, b=3) }} {% macro fact(n) %}{{ 1 if n <= 1 else n * fact(n - 1)|int }}{% endmacro %}{{ fact(5) }} {% macro va() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ va(1, 2, k=3) }} {% macro wrap() %}<{{ caller() }}>{% endmacro %}{% call wrap() %}in{% endcall %} {% macro each(l) %}{% for i in l %}{{ caller(i) }}{% endfor %}{% endmacro %}{% call(i) each([1, 2]) %}[{{ i }}]{% endcall %} {{ m is callable }} {{ m.name }}
{% set outer = 'o' %}{% macro sees() %}{{ outer }}{{ s }}{% endmacro %}{{ sees() }} {% filter upper %}abc{{ s }}{% endfilter %} {% raw %}{{ not }} {% this %}{% endraw %} {# comment #}x{#- y -#} z
{{ z is none }} {{ missing is undefined }} {{ s is string }} {{ n is number }} {{ n is integer }} {{ f is float }} {{ t is boolean }} {{ t is number }} {{ t is integer }} {{ d is mapping }} {{ l is sequence }} {{ s is sequence }} {{ d is sequence }} {{ s is iterable }} {{ n is iterable }} {{ z is iterable }} {{ n is odd }} {{ n is even }} {{ 6 is divisibleby 3 }} {{ n is eq 7 }} {{ n is not gt 8 }} {{ 'a' is in ['a'] }} {{ z is sameas none }} {{ 1 is sameas true }} {{ 'ab' is lower }} {{ 'AB' is upper }} {{ n is defined and n is number }} {{ missing is defined or t }} {{ 'upper' is filter }} {{ t is true }} {{ 1 is true }} {{ missing is iterable }} {{ missing is sequence }}
{{ [1, 2, 3, 4, 5]|batch(2)|list }} {{ [1, 2, 3]|batch(2, 0)|list }} {{ [1, 2, 3, 4, 5]|slice(2)|list }} {{ d|dictsort }} {{ {'b': 1, 'A': 2}|dictsort }} {{ {'b': 1, 'A': 2}|dictsort(by='value', reverse=true) }} {{ d|items|list }} {{ d|length }} {{ 'a b  c'|wordcount }} {{ 'hello big world'|truncate(9) }} {{ 'hello big world'|truncate(9, true, '…') }} {{ 'short'|truncate(9) }} {{ '<a & "b">'|e }} {{ '<a>'|safe }} {{ 'a b/ü'|urlencode }} {{ 5|string + '5' }} {{ d|attr('items') is callable }} {{ [3, 4]|list }} {{ 'x'|string }}
{% if a is defined %}A{% elif n == 7 %}B{% else %}C{% endif %} {% if not z %}D{% endif %} {% if n > 5 and s == 'Hello World' or missing %}E{% endif %} {% if messages[0]['role'] == 'system' %}F{% endif %} {% if not (n == 7) %}G{% endif %} {% if n in [7] and 'x' not in s %}H{% endif %}
{{ {'a': {'b': [1, {'c': 'deep'}]}}.a.b[1].c }} {{ {'a': 1}['a'] }} {{ [1, 2][1] }} {{ ('a', 'b')[0] }} {{ 'abc'[1] }} {{ {'x': 1,}.x }} {{ [1, 2,] }}
{{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%d %b %Y') }} {{ strftime_now('%B %-d, %Y %H:%M:%S %A %j %y %p %I %%') }}
{{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {% set j = joiner(', ') %}{{ j() }}a{{ j() }}b {% set c = cycler('x', 'y') %}{{ c.next() }}{{ c.next() }}{{ c.next() }} {{ namespace(a=1).a }}
{% generation %}gen {{ s }}{% endgeneration %}|
{% set l2 = [1] %}{% do l2.append(2) %}{{ l2 }} {% set _ = l2.pop() %}{{ l2 }} {% set d2 = {'a': 1} %}{% set _ = d2.update({'b': 2}) %}{{ d2 }} {{ d2.pop('a') }} {{ d2 }} {% set _ = l2.insert(0, 9) %}{{ l2 }} {% set _ = l2.extend([7, 8]) %}{{ l2 }} {{ l2.index(7) }} {{ l2.count(9) }}
{{ not true or true }} {{ not 1 == 2 }} {{ 1 if true else 2 + 3 }} {{ 'a' ~ 'b' == 'ab' }} {{ 1 + 1 == 2 and 2 * 2 == 4 }} {{ -1 | abs }} {{ 'a,b'.split(',')|join('+')|upper }} {{ (1 + 2) * 3 }} {{ s|length > 5 }} {{ n is odd and not n is even }} {{ 'x' if n is odd else 'y' }} {{ s is string and s|length }}
{{ raise_exception('bad roles') }}
{{ missing.attr }}
{{ missing + 1 }}
{{ missing() }}
{{ none.x.y }}
{{ 1 + 'a' }}
{{ 'a' + 1 }}
{{ 1 / 0 }}
{{ s.nope() }}
{{ [1, 'a']|sort }}
{% for x in 5 %}{% endfor %}
{{ 1 < 'a' }}
{{ none|length }}
{{ missing|tojson }}
{% set a, b = [1] %}
{{ loop.index }}
"""

# Snippets are divided by lines; the ones with line breaks are here.
MULTI = [r"""{%- for m in messages -%}  [{{- m.role -}}]  {%- endfor -%}  end  
  {% if t %}
    yes
  {% endif %}
  {%+ if t %}plus{% endif +%}
  {{- s }}
  {# c #}
  x {% if t %} y {% endif %} z
{%- set q = 1 -%}

  {{ q }}
{{ '  keep' }}
    {% for i in [1, 2] %}
    line {{ i }}
    {% endfor %}
tail  
""", "a\r\nb {% if t %}\r\n c\r\n{% endif %}\r\n", "  {% raw %}\n x {{ y }}\n  {% endraw %}\nz\n\n", "{% raw -%}  a  {%- endraw %} b", "{{ s }}\n\n", "\n{{ s }}\n", "{#\n multi\n#}\nx\n  {#- y #}\n z", "{% if t -%}\n   a\n   {%- endif %}\n b",
    "{{ {'a':\n  1} }}{{ [1,\n2] }}\n{%\n if t\n%}y{%\nendif\n%}", "   {% if t %}x{% endif %}   \n   {{ n }}   \n", "{% if t %}\n\n a{% endif %}\n\n{% set x = 1 %}\n\nb", "a {%+ if t %} b {%+ endif %} c", "\t {% if t %}x\n\t {% else %}y\n {% endif %}z", "{{- ' a ' -}}   b", "x\n  {{+ s }}"]


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def environment():
    env = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols, "jinja2.ext.do"])

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime(2025, 8, 5, 14, 3, 9).strftime(f)
    return env


def main():
    out = []
    lines = SNIPPETS.strip("\n").split("\n")
    for src in lines + MULTI:
        case = {"template": src}
        try:
            case["text"] = environment().from_string(src).render(**json.loads(json.dumps(CONTEXT)))
        except Exception as e:
            case["error"] = str(e) or type(e).__name__
        out.append(case)
    json.dump({"context": CONTEXT, "cases": out}, open("jinja2.json", "w"), ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
