"""What the demo's clips are made of: voices, sentences and lead-ins, apart for each purpose."""

from collections.abc import Sequence
from dataclasses import dataclass


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class Split:
    """What the clips of one purpose are made of; splits share no voice, sentence or lead-in.

    Attributes:
        name: Name of the split, and of its folder.
        stream: Number of its stream of random numbers under a seed.
        voices: Voice variants of espeak-ng.
        sentences: Sentences of neutral content.
        lead_ins: What may stand in front of a sentence; besides these, nothing.
        raters: Fewest and most simulated annotators of a clip.
    """

    name: str
    stream: int
    voices: tuple[str, ...]
    sentences: tuple[str, ...]
    lead_ins: tuple[str, ...]
    raters: tuple[int, int]


TRAINING = Split(
    name="training",
    stream=0,
    voices=_words(
        """
        m1 m2 m3 m5 m7 f1 f2 f4 Alex Andy Annie Denis Gene Jacky Mario Michael Mike anika belinda
        benjamin caleb david edward grandma grandpa linda marcelo paul quincy rob steph victor zac
        antonio aunty Diogo gustave Henrique Hugo iven iven3 Marco Nguyen norbert pedro
        """
    ),
    sentences=_lines(
        """
        The train leaves at seven.
        I put the keys on the table.
        She is coming home tonight.
        We need to buy more bread.
        The window is open again.
        He called me this morning.
        There is a letter for you.
        They moved the meeting to Friday.
        My brother has the tickets.
        It is raining outside.
        You left the door unlocked.
        The bus stops near the park.
        I will see you after lunch.
        The coffee is on the stove.
        Our neighbour bought a boat.
        Please bring the blue folder.
        The game starts in an hour.
        I talked to the teacher.
        He painted the whole kitchen.
        That was the last bottle.
        The dog is in the garden.
        We drove past the old mill.
        Someone is at the gate.
        You can take my seat.
        The results came yesterday.
        Nobody told me about it.
        I have to work on Sunday.
        The phone was under the sofa.
        She found a new apartment.
        This is not what I ordered.
        Let us go to the river.
        The shop closes at nine.
        Your jacket is in the car.
        They sold the house.
        We are almost there.
        I read the whole book.
        He forgot the umbrella.
        The lights went out.
        Dinner will be ready soon.
        That is my favourite song.
        Turn left at the church.
        The baby is sleeping now.
        I saw him at the station.
        The paper is on the chair.
        We have no more milk.
        She wrote it by hand.
        It starts on Monday.
        He fixed the broken lamp.
        The plane landed early.
        You said you would call.
        The boxes are in the hall.
        I never met your sister.
        Look at the picture again.
        The water is too cold.
        Everyone went to the beach.
        My watch stopped.
        """
    ),
    lead_ins=("You know, ", "As I said, ", "By the way, ", "I think that ", "Well, ", "So, "),
    # Many, so that the votes are near the rule: the model is to learn the rule, not its noise.
    raters=(24, 48),
)

VALIDATION = Split(
    name="validation",
    stream=1,
    voices=_words("john pablo shelby travis boris max"),
    sentences=_lines(
        """
        They will be here at six.
        The answer is on page ten.
        Can you hear the music.
        I think it is done.
        The garage needs a new roof.
        Our flight was moved to noon.
        He put the lid on the pot.
        The road is being repaired.
        """
    ),
    lead_ins=("To be honest, ", "Look, "),
    raters=(5, 12),
)

DEMO_CORPUS = Split(
    name="corpus",
    stream=2,
    voices=_words("m4 m6 m8 f3 f5 Alicia Andrea Lee adam robert michel sandro"),
    sentences=_lines(
        """
        The package arrived this afternoon.
        We walked along the harbour.
        Her cousin plays the violin.
        I lost my wallet at the market.
        The museum is closed today.
        He wants to change the plan.
        Your tea is getting cold.
        They cancelled the concert.
        The old clock is ticking.
        There are five more pages.
        I parked behind the bank.
        Somebody moved my bicycle.
        The doctor will be back shortly.
        You won the first prize.
        The cat jumped over the fence.
        Nothing is left in the fridge.
        """
    ),
    lead_ins=("In the end, ", "It seems ", "Right now, "),
    raters=(5, 12),
)

SPLITS = (TRAINING, VALIDATION, DEMO_CORPUS)


def check_disjoint(splits: Sequence[Split] = SPLITS) -> None:
    """Make sure that what is measured was never heard in training.

    Raises:
        ValueError: Two splits share a voice, a sentence, a lead-in or a stream.
    """
    for attribute in ("voices", "sentences", "lead_ins"):
        entries = [entry for split in splits for entry in getattr(split, attribute)]
        if len(set(entries)) < len(entries):
            raise ValueError(f"Splits of the demo share some of their {attribute}.")
    if len({split.stream for split in splits}) < len(splits):
        raise ValueError("Splits of the demo share a stream of random numbers.")
