"""Templates: what they print, and what they reject."""

from __future__ import annotations

from typing import Any

import pytest

from dockerproto_cli.templates import TemplateError, compile_template, fields_of

IMAGE: dict[str, Any] = {
    "Id": "sha256:12",
    "RepoTags": ["app:1", "app:2"],
    "Size": 5,
    "Empty": [],
    "Nothing": None,
    "Yes": True,
    "Config": {"Labels": {"b": "2", "a": "1"}, "Cmd": ["sh", "-c"]},
}

RENDERED: dict[str, str] = {
    "": "",
    "plain": "plain",
    "{{.Id}}": "sha256:12",
    "{{ .Id }}|{{.Size}}": "sha256:12|5",
    "{{.RepoTags}} {{.Config.Labels}}": "[app:1 app:2] map[a:1 b:2]",
    "{{.Nothing}} {{.Yes}} {{.Empty}}": "<no value> true []",
    "{{json .Config}}": '{"Labels":{"b":"2","a":"1"},"Cmd":["sh","-c"]}',
    "{{.Config.Cmd | json}}": '["sh","-c"]',
    '{{join .RepoTags ", "}}': "app:1, app:2",
    '{{index .RepoTags 0}} {{index .Config.Labels "a"}} {{index .RepoTags 1 | upper}}': "app:1 1 APP:2",
    "{{len .RepoTags}}{{len .Empty}}": "20",
    "{{lower .Id | upper}} {{title `ab`}} {{truncate .Id 3}}<{{pad .Size 1 2}}>{{pad .Nothing 1 1}}": (
        "SHA256:12 Ab sha< 5  >"
    ),
    '{{range split .Id ":"}}[{{.}}]{{end}}': "[sha256][12]",
    "{{range .RepoTags}}{{.}};{{end}}": "app:1;app:2;",
    "{{range .Config.Labels}}{{.}}{{end}}": "12",
    "{{range .Empty}}x{{else}}none{{end}}{{range .Nothing}}x{{end}}": "none",
    "{{if .Empty}}some{{else}}none{{end}}{{if .Yes}}!{{end}}": "none!",
    "{{if not .Yes}}a{{end}}{{if eq .Size 5 6}}b{{end}}{{if ne .Size 5}}c{{end}}": "b",
    "{{with .Config}}{{.Cmd}}{{end}}{{with .Nothing}}x{{else}}y{{end}}": "[sh -c]y",
    "a {{- .Size -}} b": "a5b",
    "{{/* a comment */}}x": "x",
    r"{{.Size}}\t{{.Size}}\n\x": "5\t5\n\\x",
    "{{print .Size .Yes}}{{println .Size 1}}": "5true5 1\n",
}


@pytest.mark.parametrize("template", RENDERED)
def test_templates(template: str) -> None:
    assert compile_template(template)(IMAGE) == RENDERED[template]


def test_the_whole_value_as_json() -> None:
    assert compile_template("{{json .}}")({"a": [1, None]}) == '{"a":[1,null]}'
    assert compile_template("{{.}}")("text") == "text"
    assert compile_template("{{true}} {{false}} {{ -3}}")({}) == "true false -3"


REJECTED: dict[str, str] = {
    "{{.Bogus}}": "unknown field .Bogus in the template; known fields: .Id, .RepoTags, .Size",
    "{{.Config.Bogus}}": "unknown field .Bogus in the template; known fields: .Labels, .Cmd",
    "{{.Size.Bogus}}": "known fields: none",
    "{{bogus .Id}}": "unknown action {{bogus .Id}}: known are fields such as .ID, if, range, with, else, "
    "end, and the functions eq, index, join, json, len, lower",
    "{{.Id .Size}}": "unknown action {{.Id .Size}}",
    "{{json bogus}}": "unknown action",
    "{{}}": "unknown action {{}}",
    "{{.Id | }}": "unknown action",
    "{{$x := .Id}}": "cannot read '$x := .Id'",
    "{{(.Id)}}": "cannot read",
    "{{.Id": "lacks its }}",
    "{{end}}": "unexpected {{end}}",
    "{{else}}": "unexpected {{else}}",
    "{{if .Id}}": "lacks its {{end}}",
    "{{range .Id}}{{else}}{{else}}{{end}}": "lacks its {{end}}",
    "{{if .Id}}{{else if .Size}}{{end}}": "unknown action {{else if .Size}}",
    "{{range .Id}}x{{end}}": "range needs a list or a map, not sha256:12",
    "{{len .Size}}": "wrong arguments in {{len .Size}}",
    "{{index .RepoTags 7}}": "wrong arguments",
    "{{join .RepoTags}}": "wrong arguments",
    "{{json (.Bogus)}}": "cannot read",
}


@pytest.mark.parametrize("template", REJECTED)
def test_templates_that_are_rejected(template: str) -> None:
    with pytest.raises(TemplateError) as raised:
        compile_template(template)(IMAGE)
    assert REJECTED[template] in str(raised.value)


def test_an_error_within_the_arguments_of_a_function() -> None:
    with pytest.raises(TemplateError, match=r"^unknown field \.Bogus"):
        compile_template("{{json .Bogus}}")(IMAGE)


def test_fields() -> None:
    assert fields_of("{{.A.B}} .C {{- json .D}}") == {"A", "B", "D"}
