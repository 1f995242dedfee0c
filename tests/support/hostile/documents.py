"""Hostile and merely odd GraphQL documents, generated from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, log
from random import Random

LONGEST = 65_536

FIELDS = ("hello", "__typename", "counter", "nothing", "node{id}", "node{child{id}}", 'hello(name:"x")')


def upto(random: Random, most: int) -> int:
    """From 1 to `most`, small and large numbers alike: what is worst lies just below a limit."""
    return round(exp(random.uniform(0, log(most))))


def fields(random: Random) -> str:
    return "{" + " ".join(random.choices(FIELDS, k=upto(random, 12_000))) + "}"


def repeated(random: Random) -> str:
    return "{" + (random.choice(FIELDS) + " ") * upto(random, 30_000) + "}"


def aliases(random: Random) -> str:
    return "{" + " ".join(f"a{n}:{random.choice(FIELDS)}" for n in range(upto(random, 5_000))) + "}"


def deep(random: Random) -> str:
    levels = upto(random, 6_000)
    inner = random.choice(("id", "...on Node{id}", "leaves{name}"))
    step = random.choice(("child{", "...on Node{child{", "children(limit:100){"))
    return "{node{" + step * levels + inner + "}" * (levels * step.count("{")) + "}}"


def bomb(random: Random) -> str:
    levels, width = upto(random, 400), upto(random, 4)
    spreads = " ".join(f"x{n}:child{{...F%d}}" if random.random() < 0.5 else "child{...F%d}" for n in range(width))
    parts = (f"fragment F{n} on Node{{{spreads % ((n + 1,) * width)}}}" for n in range(levels))
    return "{node{...F0}}" + "".join(parts) + f"fragment F{levels} on Node{{id}}"


def flat_bomb(random: Random) -> str:
    levels, width = upto(random, 300), upto(random, 40)
    parts = (f"fragment F{n} on Query{{{f'...F{n + 1} ' * width}}}" for n in range(levels))
    return "{...F0}" + "".join(parts) + f"fragment F{levels} on Query{{hello}}"


def many_fragments(random: Random) -> str:
    count = upto(random, 3_000)
    spreads = "".join(f"...F{n} " for n in range(count))
    return f"{{{spreads}}}" + "".join(f"fragment F{n} on Query{{hello counter}}" for n in range(count))


def cycle(random: Random) -> str:
    count = upto(random, 60)
    parts = (f"fragment F{n} on Node{{child{{...F{(n + 1) % count}}} id}}" for n in range(count))
    return "{node{...F0}}" + "".join(parts)


def directives(random: Random) -> str:
    return "{hello " + random.choice(("@skip(if:true) ", "@x ", "@include(if:$v) ")) * upto(random, 4_000) + "}"


def operations(random: Random) -> str:
    count = upto(random, 2_000)
    return "".join(f"query Q{n}{{...F}}" for n in range(count)) + "fragment F on Query{hello counter node{id}}"


def variables(random: Random) -> str:
    names = [f"$v{n}" for n in range(upto(random, 3_000))]
    uses = " ".join(f"a{n}:hello(name:{name})" for n, name in enumerate(names[: random.randint(0, 400)]))
    return f"query({' '.join(name + ':String' for name in names)}){{hello {uses}}}"


def values(random: Random) -> str:
    opening, closing = random.choice((("[", "]"), ("{a:", "}")))
    depth = upto(random, 9_000)
    return "{hello(name:" + opening * depth + "1" + closing * random.randint(0, depth) + ")}"


def long_tokens(random: Random) -> str:
    length = upto(random, 60_000)
    return random.choice(
        (
            '{hello(name:"' + "x" * length + '")}',
            '{hello(name:"' + "\\u0041" * (length // 6) + '")}',
            '{hello(name:"""' + "x\n" * (length // 2) + '""")}',
            "{" + "a" * length + "}",
            "{node(limit:" + "9" * length + "){id}}",
            "#" * length + "\n{hello}",
            "#\n" * (length // 2) + "{hello}",
            "," * length + "{hello}",
        )
    )


def merging(random: Random) -> str:
    copies, inner = upto(random, 60), upto(random, 40)
    return "{" + ("node{" + "id child{id} " * inner + "}") * copies + "}"


def introspection(random: Random) -> str:
    levels = upto(random, 60)
    return "{__schema{types{" + "fields{type{" * levels + "name" + "}}" * levels + "}}}"


def noise(random: Random) -> str:
    alphabet = '{}()[]:!@$...|&="#\\ abc1.e\n\ufeffé𝒳\x00'
    return "".join(random.choices(alphabet, k=random.randint(0, 3_000)))


def mutated(random: Random) -> str:
    text = list(random.choice(SHAPES[:-1])(random)[: upto(random, 4_000)])
    for _ in range(upto(random, 8)):
        text[random.randrange(len(text))] = random.choice('{}()[]:!@$ ."a1')
    return "".join(text)


SHAPES: tuple[Callable[[Random], str], ...] = (
    fields,
    repeated,
    aliases,
    deep,
    bomb,
    flat_bomb,
    many_fragments,
    cycle,
    directives,
    operations,
    variables,
    values,
    long_tokens,
    merging,
    introspection,
    noise,
    mutated,
)


def hostile_documents(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """`count` documents of at most 64 KiB with the names of their shapes, the same ones for the same seed."""
    random = Random(seed)
    for number in range(count):
        shape = SHAPES[number % len(SHAPES)]
        yield shape.__name__, shape(random)[:LONGEST]
