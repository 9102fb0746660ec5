"""The package behind the notebooks: eleven rooms, each with one purpose. Data flows down; nobody imports from below.

corpora      documents, queries, judgements; your own files; pairs to train on
qdrant       quantization settings, engines, existing collections and shards
embedding    models and their files; texts to vectors
evaluation   scores, intervals, times; records and rows
experiments  the measurements, a file for each: the grid, retrieval methods, losses, footprint, speed, ingest ...
training     train a static model on documents, and measure what was trained
on_demand    which queries need attention: signals, the curve, a threshold, what it costs
conclusions  from the rows of a run to verdicts, advice and forecasts
figures      from rows to tables and pictures
explorer     live search in JupyterLab
runs         the plan, its runner, the report

Beside them lie the tools that every room may use: errors, paths, locks, names, progress bars, and processes.

A corpus is encoded once into cached vectors; vectors, truncated to a Matryoshka dimension and stored with a
quantization setting, become an index in a Qdrant engine; a search gives a run; the run is judged per query; judgements
become means with intervals; these become rows, tables and figures. Training takes documents, never a corpus, and gives
another model. At scale, a stream of texts is encoded, stored and indexed at once, in a process of its own.
`tests/whole/test_layers.py` keeps the order.
"""
