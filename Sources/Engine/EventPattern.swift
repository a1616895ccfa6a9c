import WorkflowModel

/// Which events somebody listens to: those of one name, those whose name begins so, or all.
package enum EventPattern: Hashable, Sendable {
    case name(String)
    /// With the dot at its end.
    case prefix(String)
    case all

    /// Why a text is no pattern: a sentence without its subject.
    package struct Objection: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    /// Aliases of names are taken for what they stand for.
    package init(_ text: String) throws(Objection) {
        if text == "*" {
            self = .all
            return
        }
        let isPrefix = text.hasSuffix(".*")
        let stem = isPrefix ? String(text.dropLast(2)) : text
        guard EventName.isUsable(stem), !stem.contains("*") else {
            throw Objection(
                description:
                    "must be the name of an event (\(EventName.rule)), the beginning of names as in contact.*, or *"
            )
        }
        if isPrefix {
            self = .prefix(stem + ".")
            return
        }
        let name = EventName.canonical(text)
        guard !name.hasPrefix("email.") || EventName.ofMail.contains(name) else {
            let known = EventName.ofMail.sorted().joined(separator: ", ")
            throw Objection(description: "is an event that never comes; those of mail are \(known)")
        }
        self = .name(name)
    }

    package var text: String {
        switch self {
        case .name(let name): name
        case .prefix(let prefix): prefix + "*"
        case .all: "*"
        }
    }

    /// Notices about webhooks are for those who ask for them: a receiver of everything would be told of its own tests and
    /// of its neighbours' failures.
    package func matches(_ name: String) -> Bool {
        switch self {
        case .name(let own): own == name && name != EventName.webhookTest
        case .prefix(let prefix): name.hasPrefix(prefix) && name != EventName.webhookTest
        case .all: name != EventName.webhookTest && name != EventName.webhookPaused
        }
    }
}
