"""Training on the sample as the tests of training do it."""

from workbook.corpora import corpora
from workbook.embedding import encoders
from workbook.training.settings import Settings

SAMPLE = corpora.unlabelled("sample")


def settings(**values):
    return Settings.of(**{"dimensions": [32, 16], "batch_size": 64, "epochs": 2, "words": False, **values})


USUAL = settings(epochs=3)


def table(model):
    return model[0].embedding.weight.detach().numpy().copy()


def table_in(folder):
    return table(encoders.load(str(folder)).model)


def unusable(*_, **__):
    raise AssertionError("this must not be called")
