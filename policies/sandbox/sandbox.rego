# METADATA
# title: Permission of programs
# description: |
#   Decides whether the sandbox runs a program, and the most that it may use.
#   Nothing is allowed by default; a rule denies on "not proven", so a missing field cannot pass.
#   Languages and limits by author, which is the catalog or the model, are data.sandbox.
package sandbox

# METADATA
# title: What is decided on a program
# entrypoint: true
decision := {
	"allow": allow,
	"deny": [reason | some reason in deny],
	"limits": limits,
}

# METADATA
# title: A program runs where nothing speaks against it
# scope: document
default allow := false

allow if count(deny) == 0

# METADATA
# title: A program runs in a language that its author may use
deny contains reason if {
	known_author
	language := object.get(input, ["program", "language"], "no language")
	not language in data.sandbox.languages[author]
	reason := sprintf("a program by the %s in %v", [author, language])
}

# METADATA
# title: Somebody has written the program
deny contains "a program of an unknown author" if not known_author

# METADATA
# title: What a model wrote gets no secrets
deny contains "a program by the model with secrets" if {
	author != "catalog"
	is_array(input.program.secrets)
	count(input.program.secrets) > 0
}

# METADATA
# title: The secrets of a program are a list, in which one would be found
deny contains "the secrets of the program are no list" if not is_array(object.get(input, ["program", "secrets"], null))

# METADATA
# title: A model's programs do not run at some risks
deny contains reason if {
	author == "model"
	input.row.risk in data.sandbox.forbidden_risks
	reason := sprintf("a program by the model at risk %s", [input.row.risk])
}

# METADATA
# title: The most that programs of the author may use
# scope: document
default limits := {}

limits := data.sandbox.most[author]

# METADATA
# title: Who wrote the program
# scope: document
default author := "nobody"

author := input.program.author if is_string(input.program.author)

# METADATA
# title: The author is one that the data document knows
known_author if author in object.keys(data.sandbox.languages)
