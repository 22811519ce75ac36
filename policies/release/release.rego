# METADATA
# title: Release of outputs
# description: |
#   Decides whether an output may leave its row, and whether a person must look at it first.
#   It is asked about rows for which package admission says "release".
#   Nothing is allowed by default; a rule denies on "not proven", so a missing field cannot pass.
#   The thresholds and forbidden contents are data.release.
package release

# METADATA
# title: What is decided on an output
# entrypoint: true
decision := {
	"allow": allow,
	"deny": [reason | some reason in deny],
	"review": [reason | some reason in review],
}

# METADATA
# title: An output leaves where nothing speaks against it
# scope: document
default allow := false

allow if count(deny) == 0

# METADATA
# title: What is as bad as the upper threshold does not leave
deny contains reason if {
	some finding in findings
	rank(finding.severity) >= rank(data.release.deny_at)
	reason := described(finding)
}

# METADATA
# title: What is as bad as the lower threshold is seen by a person first
# description: Secrets are not among them, as the row fails for those, or a person takes them out.
review contains reason if {
	some finding in findings
	not finding.secret
	rank(finding.severity) >= rank(data.release.review_at)
	rank(finding.severity) < rank(data.release.deny_at)
	reason := described(finding)
}

# METADATA
# title: What must never leave is not in the output
# description: The reason names what was found, never the text.
deny contains reason if {
	some what, pattern in data.release.forbidden_content
	regex.match(pattern, input.output.text)
	reason := sprintf("the output holds %s", [what])
}

# METADATA
# title: An output that cannot be searched cannot pass as searched
deny contains "the output is no text" if not is_string(object.get(input, ["output", "text"], null))

# METADATA
# title: Findings that are not told cannot pass as none
deny contains "the findings are no list" if not is_array(object.get(input, ["output", "findings"], null))

# METADATA
# title: A finding is as bad as one of the known severities
deny contains reason if {
	some finding in input.output.findings
	not known(finding)
	reason := "a finding has no known severity"
}

# METADATA
# title: The thresholds are among the severities
# scope: document
deny contains "the policy's review_at is none of its severities" if not review_known

deny contains "the policy's deny_at is none of its severities" if not deny_known

# METADATA
# title: The lower threshold is a severity
review_known if data.release.review_at in data.release.severities

# METADATA
# title: The upper threshold is a severity
deny_known if data.release.deny_at in data.release.severities

# METADATA
# title: Findings whose severity is known
findings contains finding if {
	some finding in input.output.findings
	known(finding)
}

# METADATA
# title: The finding says how bad it is
known(finding) if {
	is_object(finding)
	finding.severity in data.release.severities
}

# METADATA
# title: The place of a severity among all, from the least
rank(severity) := place if {
	some place, named in data.release.severities
	named == severity
}

# METADATA
# title: A finding as a person reads it
described(finding) := sprintf("%v (%v, %v) on line %v%v", [
	object.get(finding, "rule", "something"),
	finding.severity,
	object.get(finding, "scanner", "a scanner"),
	object.get(finding, "line", 0),
	where(finding),
])

# METADATA
# title: Where the line is when it is not in the output
# scope: document
where(finding) := "" if object.get(finding, "place", "") == ""

where(finding) := sprintf(" of %v", [finding.place]) if object.get(finding, "place", "") != ""
