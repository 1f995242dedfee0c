"""Generate hostile and unusual GraphQL documents from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, log
from random import Random

MAX_LENGTH = 65_536

FIELDS = ("hello", "__typename", "counter", "nothing", "node{id}", "node{child{id}}", 'hello(name:"x")')


def random_count(random: Random, maximum: int) -> int:
    """Return a number from 1 to `maximum` with a uniform logarithm, because the worst cases are just below a limit."""
    return round(exp(random.uniform(0, log(maximum))))


def fields(random: Random) -> str:
    """Repeat different fields."""
    return "{" + " ".join(random.choices(FIELDS, k=random_count(random, 12_000))) + "}"


def repeated(random: Random) -> str:
    """Repeat one field."""
    return "{" + (random.choice(FIELDS) + " ") * random_count(random, 30_000) + "}"


def aliases(random: Random) -> str:
    """Select fields with many aliases."""
    return "{" + " ".join(f"a{n}:{random.choice(FIELDS)}" for n in range(random_count(random, 5_000))) + "}"


def deep(random: Random) -> str:
    """Nest selections deeply."""
    levels = random_count(random, 6_000)
    inner = random.choice(("id", "...on Node{id}", "leaves{name}"))
    step = random.choice(("child{", "...on Node{child{", "children(limit:100){"))
    return "{node{" + step * levels + inner + "}" * (levels * step.count("{")) + "}}"


def bomb(random: Random) -> str:
    """Let fragments multiply the size of the document."""
    levels, width = random_count(random, 400), random_count(random, 4)
    spreads = " ".join(f"x{n}:child{{...F%d}}" if random.random() < 0.5 else "child{...F%d}" for n in range(width))
    parts = (f"fragment F{n} on Node{{{spreads % ((n + 1,) * width)}}}" for n in range(levels))
    return "{node{...F0}}" + "".join(parts) + f"fragment F{levels} on Node{{id}}"


def flat_bomb(random: Random) -> str:
    """Let fragments on the root multiply."""
    levels, width = random_count(random, 300), random_count(random, 40)
    parts = (f"fragment F{n} on Query{{{f'...F{n + 1} ' * width}}}" for n in range(levels))
    return "{...F0}" + "".join(parts) + f"fragment F{levels} on Query{{hello}}"


def many_fragments(random: Random) -> str:
    """Spread many fragments."""
    count = random_count(random, 3_000)
    spreads = "".join(f"...F{n} " for n in range(count))
    return f"{{{spreads}}}" + "".join(f"fragment F{n} on Query{{hello counter}}" for n in range(count))


def cycle(random: Random) -> str:
    """Let fragments refer to each other in a cycle."""
    count = random_count(random, 60)
    parts = (f"fragment F{n} on Node{{child{{...F{(n + 1) % count}}} id}}" for n in range(count))
    return "{node{...F0}}" + "".join(parts)


def directives(random: Random) -> str:
    """Repeat directives."""
    return "{hello " + random.choice(("@skip(if:true) ", "@x ", "@include(if:$v) ")) * random_count(random, 4_000) + "}"


def operations(random: Random) -> str:
    """Define many operations."""
    count = random_count(random, 2_000)
    return "".join(f"query Q{n}{{...F}}" for n in range(count)) + "fragment F on Query{hello counter node{id}}"


def variables(random: Random) -> str:
    """Define many variables."""
    names = [f"$v{n}" for n in range(random_count(random, 3_000))]
    uses = " ".join(f"a{n}:hello(name:{name})" for n, name in enumerate(names[: random.randint(0, 400)]))
    return f"query({' '.join(name + ':String' for name in names)}){{hello {uses}}}"


def values(random: Random) -> str:
    """Nest or repeat values."""
    opening, closing = random.choice((("[", "]"), ("{a:", "}")))
    depth = random_count(random, 9_000)
    return "{hello(name:" + opening * depth + "1" + closing * random.randint(0, depth) + ")}"


def long_tokens(random: Random) -> str:
    """Use very long names, strings, numbers and comments."""
    length = random_count(random, 60_000)
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
    """Make the validation of overlapping fields expensive."""
    copies, inner = random_count(random, 60), random_count(random, 40)
    return "{" + ("node{" + "id child{id} " * inner + "}") * copies + "}"


def introspection(random: Random) -> str:
    """Nest introspection."""
    levels = random_count(random, 60)
    return "{__schema{types{" + "fields{type{" * levels + "name" + "}}" * levels + "}}}"


def noise(random: Random) -> str:
    """Return random punctuation and text."""
    alphabet = '{}()[]:!@$...|&="#\\ abc1.e\n\ufeffé𝒳\x00'
    return "".join(random.choices(alphabet, k=random.randint(0, 3_000)))


def mutated(random: Random) -> str:
    """Change random characters of another document."""
    text = list(random.choice(SHAPES[:-1])(random)[: random_count(random, 4_000)])
    for _ in range(random_count(random, 8)):
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
    """Yield `count` documents of at most 64 KiB with the names of their shapes; a seed always gives the same ones."""
    random = Random(seed)
    for number in range(count):
        shape = SHAPES[number % len(SHAPES)]
        yield shape.__name__, shape(random)[:MAX_LENGTH]
