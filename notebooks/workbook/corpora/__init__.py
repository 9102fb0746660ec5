"""Documents, queries and judgements: registered corpora, BEIR folders, your own files, and pairs to train on."""
