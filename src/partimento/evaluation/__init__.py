"""Evaluation: figures that say how one set of pieces differs from another; scores in, numbers out.

`features` measures a piece, `distances` sets the pieces of a machine beside those of people, `yardsticks` makes what
any machine should be better than, and `losses` says what a codec does not keep. Nothing here knows models, codecs or
torch, so it judges people's files and other programs' pieces just as well.
"""
