"""The package behind the notebooks. Data flows one way, each module imports only from those before it:

errors -> names -> written -> defects -> progress -> paths -> locks -> redact -> near_duplicates -> python_docs ->
beir_sets -> lines -> corpora -> streams -> recipes -> models -> model_files -> routes -> words -> encoders ->
variants -> memory -> isolated -> bm25 -> quantization -> edge -> patience -> server -> strict_mode -> client ->
engine -> evaluation -> rankings -> statistics -> pairs -> tables -> sources -> own_data -> settings -> starts ->
exports -> objective -> trainer -> cards -> results -> stopwatch -> batches -> stages -> encoding_speed ->
existing_facts -> existing_shard -> vectors -> baselines -> contributions -> known_items -> pipeline -> scale ->
claims -> growth -> capacity -> sweep -> explorer -> explorer_html -> explorer_view -> footprint -> losses ->
recommend -> training -> custom -> limits -> existing_collection -> existing_truth -> existing -> cold -> evidence ->
ways -> answers -> front_page -> decisions -> parameters -> plan -> runner -> snippets -> published -> metrics ->
tabular -> bench -> plots -> answer_plots -> grid_plots -> pareto_plot -> training_plots -> scale_plots ->
baseline_plots -> markup -> page -> report -> __main__

A corpus (documents, queries, qrels) is encoded once into cached vectors; vectors, truncated to a Matryoshka dimension
and stored with a quantization setting, become an index in a Qdrant engine; a search gives a run; the run is judged
per query; judgements become means with intervals; these become rows, tables and figures. Training takes documents,
never a corpus, and gives another model. At scale, a stream of texts is encoded, stored and indexed at once, in a
process of its own. `tests/test_layers.py` keeps the order.
"""
