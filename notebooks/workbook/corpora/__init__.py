"""Documents, queries and judgements: registered corpora, BEIR folders, your own files, and pairs to train on."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
