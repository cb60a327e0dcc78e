"""Moving pictures: frames in, colours that stay the same from frame to frame, frames out.

``source`` reads, ``writing`` and ``joining`` write; ``network`` says what every frame shows, ``motion`` where
each pixel was one frame before, ``scenes`` where one shot ends and another begins, ``smoothing`` carries
distributions along; ``pipeline`` overlaps all of that, ``parts`` keeps what is needed to go on after a crash,
and ``run`` puts them together.
"""
