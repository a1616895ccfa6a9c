import Engine
import Foundation
import JSONValue
import SQLStore
import WorkflowModel

/// A database whose outbox is full: contacts in fifty domains, and one mail to many for each.
struct OutboxFill {
    /// Mails that one transaction writes.
    private static let batch = 2000

    /// Multipart, about 2 KB, with the usual amount of Liquid.
    private static let workflow: JSON = [
        "workflow": "news", "name": "News", "enabled": true, "trigger": ["event": "news.wanted"],
        "steps": [
            "trigger": ["type": "TRIGGER", "next": "send"],
            "send": ["type": "SEND_EMAIL", "config": ["template": "news"]],
        ],
        "templates": [
            "news": [
                "type": "MARKETING", "subject": "News for {{ name }}",
                "html": .string(
                    "<html><body><h1>News</h1>\n"
                        + String(repeating: paragraph(name: "{{ name | capitalize }}"), count: 4)
                        + "{% if plan == 'pro' %}<p>Thank you for being with us.</p>{% else %}<p>There is more.</p>{% endif %}"
                        + "<p><a href=\"https://example.com/news\">Read more</a></p></body></html>\n"),
                "text": .string(
                    String(
                        repeating: "Dear {{ name }}, this is what happened at the workshop since you last looked in.\n",
                        count: 4) + "https://example.com/news\n"),
            ]
        ],
    ]

    private static func paragraph(name: String) -> String {
        "<p>Dear \(name), this is what happened at the workshop since you last looked in: new tools, new people, and a "
            + "calendar that fills up quickly.</p>\n"
    }

    /// Makes the database at `path` with that many mails.
    static func make(_ path: String, mails: Int) async throws {
        let engine = try await EngineUnderTest(database: path)
        try await engine.apply(workflow)
        let project = engine.project.id
        guard let template = try await engine.store.read({ try $0.loadCatalog() }).template("news", in: project) else {
            throw BenchmarkFailure("the template is not there")
        }
        let version = template.current.id
        for start in stride(from: 0, to: mails, by: batch) {
            try await engine.store.write { transaction in
                let now = engine.context.clock.now()
                for number in start..<min(start + batch, mails) {
                    let contact = Contact(
                        id: engine.context.identifiers.make(at: now),
                        email: "contact-\(number)@d\(number % 50).example.org", isSubscribed: true,
                        data: ["name": "ann", "plan": "free"], createdAt: now, updatedAt: now)
                    try transaction.insert(contact, in: project)
                    let id = engine.context.identifiers.make(at: now)
                    try transaction.insert(
                        OutboxEntry(
                            id: id, projectID: project, contactID: contact.id, executionID: nil, dueAt: now,
                            createdAt: now, generation: 0,
                            request: MailRequest(
                                id: id, step: "send", templateVersionID: version, kind: .marketing,
                                recipient: contact.email, from: "news@example.com",
                                variables: ["name": "ann", "plan": "free"]),
                            messageID: "\(id)@example.com"))
                }
            }
        }
        try engine.store.close()
    }
}
