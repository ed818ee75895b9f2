"""Evaluation: figures that say how one set of pieces differs from another; scores in, numbers out.

`features` measures a piece, `distances` sets the pieces of a machine beside those of people, `chance` says how far sets
of people's pieces lie from one another, and `realness` whether a classifier can tell the two. `variety` says whether
pieces differ among themselves, `originality` what they share with what was learnt from, and `borrowing` what people
share. `scorecard` is all of it in one report, and `ranking` chooses by it. `yardsticks` makes what any machine should
be better than, and `losses` says what a codec does not keep. Nothing here knows models, codecs or torch, so it judges
people's files and other programs' pieces just as well.
"""
