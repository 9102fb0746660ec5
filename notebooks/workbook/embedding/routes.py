"""The modules that a text goes through. A model may have a Router, which sends queries and documents different ways.

So what a model is (static or a transformer, how wide, where it cuts) is asked for each role.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from workbook.embedding.models import Kind, Role
from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch.nn import Module

ROLES: tuple[Role, ...] = get_args(Role)
KINDS: dict[str, Kind] = {"StaticEmbedding": "static", "Transformer": "transformer"}  # by the module that reads a text
DENSE = ("sentence_transformers.base.", "sentence_transformers.sentence_transformer.")  # one vector of a text
BY_TASK = ("query_length", "document_length", "query_expansion")  # by which a Transformer treats roles differently
NOT_DOCUMENT = ("passage", "corpus")  # other names of the documents' prompt, which `encode_document` never comes to


def modules(model: SentenceTransformer, role: Role) -> list[Module]:
    """The modules that a text of that role goes through, in order; a Router is replaced by its route.

    Raises WorkbookError for a model without a route for that role.
    """
    children = list(model.children())
    modality = None if _name(children[0]) == "StaticEmbedding" else "text"  # a table tells Routers no modality
    return [module for child in children for module in _routed(child, role, modality)]


def _routed(module: Module, role: Role, modality: str | None) -> list[Module]:
    if _name(module) != "Router":
        return [module]
    try:
        route = module._resolve_route(task=role, modality=modality)  # Sentence Transformers has no public way to ask
    except ValueError:
        routes = ", ".join(module.sub_modules)
        raise WorkbookError(
            f"the model's Router has no route for a {role}, only {routes}: name its routes query and document"
        ) from None
    return [each for inner in module.sub_modules[route] for each in _routed(inner, role, modality)]


def joined(queries: SentenceTransformer, documents: SentenceTransformer, prompt: str) -> SentenceTransformer:
    """One model that reads queries as the first does, without a prompt, and documents, after theirs, as the second."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Router

    router = Router.for_query_document(modules(queries, "query"), modules(documents, "document"))
    return SentenceTransformer(modules=[router], prompts={"query": "", "document": prompt}, device="cpu")


def kind(model: SentenceTransformer, role: Role) -> Kind:
    """Whether a table or a transformer reads texts of that role."""
    return KINDS[_name(modules(model, role)[0])]


def asymmetric(model: SentenceTransformer) -> bool:
    """Whether the model may give a query another vector than a document of the same text, prompts aside."""
    query, document = (modules(model, role) for role in ROLES)
    first = document[0]
    by_task = any(getattr(first, name, None) for name in BY_TASK)
    return query != document or by_task or "task" in str(getattr(first.tokenizer, "chat_template", None))


def limit(model: SentenceTransformer, role: Role) -> int | None:
    """Tokens after which a text of that role is cut; None if it never is."""
    first = modules(model, role)[0]
    most = getattr(first, f"{role}_length", None) or first.max_seq_length
    return None if most == float("inf") else most


def cut(model: SentenceTransformer, most: int | None) -> None:
    """Cut texts of both roles after so many tokens, special ones included; None: where the model itself does."""
    for first in {id(first): first for first in (modules(model, role)[0] for role in ROLES)}.values():
        if _name(first) == "StaticEmbedding":
            first.tokenizer.no_truncation()  # a limit that came with the tokenizer is not the model's
            if most:
                first.tokenizer.enable_truncation(most)
        elif most:
            first.max_seq_length = min(most, first.max_seq_length or most)
            for name in (f"{role}_length" for role in ROLES):
                if own := getattr(first, name, None):
                    setattr(first, name, min(most, own))


def check(name: str, model: SentenceTransformer) -> None:
    """Raise WorkbookError for a model that does not give each text one vector, to be ranked by cosine."""
    for role in ROLES:
        _check_reads_texts(name, modules(model, role))
    widths = {}
    for role in ROLES:
        saying = [module for module in modules(model, role) if hasattr(module, "get_embedding_dimension")]
        widths[role] = saying[-1].get_embedding_dimension() if saying else None
    if len(set(widths.values())) > 1:
        told = ", ".join(f"{width} for a {role}" for role, width in widths.items())
        raise WorkbookError(f"{name} gives vectors of different sizes, {told}: they cannot be compared")
    unit = all(_name(modules(model, role)[-1]) == "Normalize" for role in ROLES)
    similarity = model.similarity_fn_name
    if similarity != "cosine" and not (unit and similarity in ("dot", "euclidean")):
        raise WorkbookError(
            f"{name} is made to be compared by {similarity}, and here vectors are ranked by cosine: "
            f"that would be another model's score; give a model of similarity cosine, or one that ends in Normalize"
        )
    for prompt in NOT_DOCUMENT:
        if model.prompts.get(prompt) and not model.prompts.get("document"):
            raise WorkbookError(
                f"{name} names a prompt {prompt!r}, which Sentence Transformers puts before no document: name it "
                f"'document' in its config_sentence_transformers.json, or remove it"
            )


def _check_reads_texts(name: str, through: list[Module]) -> None:
    first = through[0]
    if _name(first) not in KINDS:
        raise WorkbookError(
            f"{name} begins with {_name(first)}: the workbook measures models that begin with {' or '.join(KINDS)}"
        )
    if media := {"image", "audio", "video"} & set(map(str, first.modalities)):
        raise WorkbookError(f"{name} reads {', '.join(sorted(media))} too: the workbook measures models of text alone")
    foreign = [_name(module) for module in through if not type(module).__module__.startswith(DENSE)]
    if foreign or not (_name(first) == "StaticEmbedding" or "Pooling" in map(_name, through)):
        raise WorkbookError(
            f"{name} does not give one dense vector of a text ({', '.join(foreign) or 'it has no Pooling'}): "
            f"give an embedding model"
        )


def more_than_a_table(model: SentenceTransformer) -> str:
    """What a model does beyond averaging the rows of one table, and maybe normalizing; "" if nothing."""
    if asymmetric(model):
        return "reads queries by a route of their own"
    first, *after = modules(model, "document")
    if _name(first) != "StaticEmbedding":
        return "is a transformer"
    others = dict.fromkeys(_name(module) for module in after if _name(module) != "Normalize")
    return f"has {', '.join(others)} after its table" if others else ""


def _name(module: Module) -> str:
    return type(module).__name__
