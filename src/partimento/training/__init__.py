"""From a folder of music to a bundle: prepared once, planned to the minutes, learnt in one loop, kept on the way.

A run (`runs`) has a corpus encoded (`preparing`), fits its recipe to music and time (`planning`), lets the model learn
(`loop`, with the settings and the state of `learning`), keeps the weights that it had on the way (`checkpoints`) and
measures the layers that it is made of (`anatomy`). Empty on purpose: `checkpoints` is read where torch is not.
"""
