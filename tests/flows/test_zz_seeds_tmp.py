"""Temporary: the rule of truth flips in mid-life."""
import sys
sys.path.insert(0, "/work/main/tests")
from flows.test_replay_random import *
from flows.test_replay_random import arena, opened, ledger, WORLDS
for name in list(globals()):
    if name.startswith("test_"):
        del globals()[name]
def rule(life):
    text = life.library.work.task_file("claims").read_text()
    o = 'source = "outcome"'; b = 'source = "blind_review"'
    edit(life.library, (o, b) if o in text else (b, o))
def life_of(library, seed, passes):
    life, looks = Life(library, seed), random.Random(seed + 1)
    life.learn()
    for step in range(24):
        life.happen("cases" if step % 4 == 0 else life.random.choice(OFTEN))
        if step % 7 == 3:
            rule(life)
        if passes(looks):
            life.restart(); life.learn()
    life.library.work.clock.at += 10_000 * HOUR
    life.learn()
    return life
@pytest.mark.parametrize(("world", "seed"), [(w, s) for w in ("outcomes", "hidden outcomes", "prices and silence") for s in (51, 52, 53)])
def test_flip(arena, tmp_path, world, seed):
    lives = []
    for place, passes in enumerate((lambda _: True, lambda _: False, lambda looks: looks.random() < 0.3)):
        lives.append(life_of(opened(arena, tmp_path / f"{place}", *WORLDS[world]), seed, passes))
    kept, anew = evidence(lives[0].library)
    assert kept == anew
    books = [ledger(life.library) for life in lives]
    for other_ in books[1:]:
        diff = [(a, b) for a, b in zip(books[0], other_) if a != b]
        assert not diff and len(other_) == len(books[0]), (len(diff), len(other_), diff[:3])
