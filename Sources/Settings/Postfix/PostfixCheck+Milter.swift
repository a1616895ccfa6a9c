extension PostfixCheck {
    /// How Postfix talks to our milter: settings in its braces, or the `milter_…` parameters.
    func settings(of reference: MilterReference, _ view: View) -> [Finding] {
        var findings: [Finding] = []
        if !reference.strays.isEmpty {
            let words = reference.strays.joined(separator: " ")
            findings.append(
                view.finding(
                    .error, view.listName,
                    "`\(words)` inside the braces is no setting; blanks around = need braces of their own",
                    "write name=value without blanks"))
        }
        let action = effective("default_action", reference, view)
        findings.append(defaultAction(action, reference, view))
        findings += version(reference, view) + timeouts(reference, view)
        return findings
    }

    private func effective(_ name: String, _ reference: MilterReference, _ view: View) -> String {
        reference.settings[name] ?? view.parameters.value("milter_\(name)")
    }

    /// The parameter that decides, for the place of a finding.
    private func key(_ name: String, _ reference: MilterReference, _ view: View) -> String {
        reference.settings[name] == nil ? "milter_\(name)" : view.listName
    }

    /// The command that gives our milter a setting in its own braces.
    private func give(_ name: String, _ value: String, to reference: MilterReference, _ view: View) -> String {
        let inside = PostfixText.unbraced(reference.text) ?? reference.text
        let kept = PostfixText.list(inside).filter { item in
            PostfixText.assignment(PostfixText.unbraced(item) ?? item)?.name != name
        }
        let wanted = "{ \((kept + ["\(name)=\(value)"]).joined(separator: ", ")) }"
        return view.setList(view.written { $0 == reference.text ? wanted : $0 })
    }

    private func defaultAction(_ action: String, _ reference: MilterReference, _ view: View) -> Finding {
        let key = key("default_action", reference, view)
        switch action {
        case "tempfail":
            return view.finding(
                .ok, key,
                """
                tempfail: while Postrider is down, the whole site defers inbound mail with 451; nothing is lost and \
                senders try again
                """,
                "for mail before events: \(give("default_action", "accept", to: reference, view))")
        case "accept":
            return view.finding(
                .ok, key, "accept: while Postrider is down, mail flows on and its events are lost",
                "for events before mail: \(give("default_action", "tempfail", to: reference, view))")
        case "reject":
            return view.finding(
                .error, key, "reject: while Postrider is down, inbound mail is refused for good",
                give("default_action", configuration.milter.onFailure.rawValue, to: reference, view))
        case "quarantine":
            return view.finding(
                .warning, key,
                "quarantine: while Postrider is down, inbound mail waits in the hold queue until somebody releases it",
                give("default_action", configuration.milter.onFailure.rawValue, to: reference, view))
        default:
            return view.finding(
                .error, key, "`\(action)` is no action of Postfix 3.7",
                give("default_action", "tempfail", to: reference, view))
        }
    }

    /// Protocol 6 is what lets header values travel unchanged and the rest of a large body be skipped.
    private func version(_ reference: MilterReference, _ view: View) -> [Finding] {
        let text = effective("protocol", reference, view)
        // The default may carry protocol extensions after the number, for example `6 no_body`.
        guard let number = PostfixText.list(text).first.flatMap({ Int($0) }), number >= 6 else {
            let mend =
                reference.settings["protocol"] == nil
                ? "postconf -e milter_protocol=6" : give("protocol", "6", to: reference, view)
            return [
                view.finding(
                    .error, key("protocol", reference, view), "protocol \(text) is too old; Postrider needs 6", mend)
            ]
        }
        return []
    }

    /// The end of a message waits for our commit; Postfix must be the more patient of the two.
    private func timeouts(_ reference: MilterReference, _ view: View) -> [Finding] {
        let deadline = configuration.milter.commitDeadline
        var findings: [Finding] = []
        for (name, least) in [
            ("content_timeout", deadline + .seconds(5)), ("command_timeout", .seconds(5)),
            ("connect_timeout", .seconds(1)),
        ] {
            let text = effective(name, reference, view)
            guard let seconds = PostfixText.seconds(text) else {
                findings.append(
                    view.finding(
                        .error, key(name, reference, view), "`\(text)` is no time",
                        give(name, "30s", to: reference, view)))
                continue
            }
            guard Duration.seconds(seconds) < least else { continue }
            findings.append(
                view.finding(
                    .warning, key(name, reference, view),
                    """
                    \(name) is \(text); Postfix gives up before Postrider can answer \
                    (milter.commit_deadline is \(DurationText.text(deadline)))
                    """,
                    give(name, name == "content_timeout" ? "300s" : "30s", to: reference, view)))
        }
        return findings
    }
}
