"""The package behind the notebooks. Data flows one way, each module imports only from those before it:

errors -> names -> written -> defects -> progress -> paths -> locks -> redact -> near_duplicates -> python_docs
-> beir_sets -> lines -> corpora -> streams -> recipes -> models -> model_files -> routes -> words -> encoders
-> variants -> memory -> isolated -> vectors -> shards -> quantization -> bm25 -> sizes -> edge -> patience -> server
-> strict_mode -> client -> engine -> evaluation -> rankings -> statistics -> pairs -> known_items -> tables -> sources
-> own_data -> settings -> starts -> exports -> objective -> trainer -> cards -> training -> results -> batches
-> stages -> timing -> existing_facts -> shard_copy -> existing_shard -> existing_collection -> existing_truth
-> existing -> example_shard -> cold -> sweep -> baselines -> evidence -> ways -> decisions -> footprint -> pipeline
-> scale -> growth -> capacity -> claims -> parameters -> losses -> recommend -> snippets -> leakage -> custom
-> limits -> published -> metrics -> tabular -> answers -> plots -> grid_plots -> pareto_plot -> training_plots
-> baseline_plots -> scale_plots -> answer_plots -> contributions -> explorer -> explorer_html -> explorer_view -> plan
-> runner -> bench -> markup -> page -> report -> front_page -> __main__

A corpus (documents, queries, qrels) is encoded once into cached vectors; vectors, truncated to a Matryoshka dimension
and stored with a quantization setting, become an index in a Qdrant engine; a search gives a run; the run is judged
per query; judgements become means with intervals; these become rows, tables and figures. Training takes documents,
never a corpus, and gives another model. At scale, a stream of texts is encoded, stored and indexed at once, in a
process of its own. `tests/test_layers.py` keeps the order.
"""
