import Foundation
import Glibc
import ServerTestKit

/// The mails and workflows of the stories.
enum StoryMail {
    /// A person's mail with LF line ends, written now. Sending the same text again is a retry.
    static func text(
        from sender: String, to recipient: String = Site.inbox, id: String? = nil, fields: [String] = [],
        body: String = "When are you open?\nOn Sundays too?"
    ) -> String {
        let lines =
            [
                "From: Ann Example <\(sender)>", "To: \(recipient)", "Subject: Opening hours",
                "Message-ID: <\(id ?? "1-\(sender)")>", "Date: \(now)",
            ] + fields + ["", body, ""]
        return lines.joined(separator: "\n")
    }

    /// The time in the words of RFC 5322 section 3.3. A mail without it gets one from Postfix, another at each retry.
    private static var now: String {
        var time = time(nil)
        var parts = tm()
        gmtime_r(&time, &parts)
        var buffer = [CChar](repeating: 0, count: 64)
        // The program never sets a locale, so the names are the English ones.
        let count = strftime(&buffer, buffer.count, "%a, %d %b %Y %H:%M:%S +0000", &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The unfolded value of the first field of that name; empty when there is none.
    static func field(_ name: String, of text: String) -> String {
        let header = text.components(separatedBy: "\n\n").first ?? text
        let unfolded = header.replacingOccurrences(of: "\n ", with: " ").replacingOccurrences(of: "\n\t", with: " ")
        for line in unfolded.split(separator: "\n") where line.lowercased().hasPrefix(name.lowercased() + ":") {
            return line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
        }
        return ""
    }

    /// The path of the pixel in a mail; nil when it has none.
    static func pixel(of text: String) -> String? {
        let body = text.replacingOccurrences(of: "=\n", with: "")
        guard let start = body.range(of: "/o/"),
            let end = body.range(of: ".gif", range: start.upperBound..<body.endIndex)
        else { return nil }
        return "/o/\(body[start.upperBound..<end.lowerBound]).gif"
    }

    /// A browser as a reader's mail program names it: not one of the machines whose fetches do not count.
    static let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
}

/// A workflow file that a story applies.
struct StoryWorkflow: Sendable {
    let slug: String
    let text: String

    /// Answers every mail and waits until the answer is opened.
    static let answerAndWait = StoryWorkflow(
        "answer", on: "email.received",
        steps: """
              received: {type: TRIGGER, next: reply}
              reply: {type: SEND_EMAIL, config: {template: answer}, next: opened}
              opened:
                type: WAIT_FOR_EVENT
                config: {eventName: email.opened, timeout: 604800}
                next: {event: done, timeout: unread}
              done: {type: EXIT, config: {reason: opened}}
              unread: {type: EXIT, config: {reason: unread}}
            """)

    /// Answers every mail, and that is all.
    static let answer = StoryWorkflow(
        "answer", on: "email.received",
        steps: """
              received: {type: TRIGGER, next: reply}
              reply: {type: SEND_EMAIL, config: {template: answer}, next: done}
              done: {type: EXIT, config: {reason: answered}}
            """)

    /// Takes note of an event and sends nothing.
    static func note(_ event: String, slug: String) -> StoryWorkflow {
        StoryWorkflow(
            slug, on: event,
            steps: """
                  happened: {type: TRIGGER, next: done}
                  done: {type: EXIT, config: {reason: noted}}
                """)
    }

    init(slug: String, text: String) {
        self.slug = slug
        self.text = text
    }

    /// - Parameter steps: the steps with their indentation of two blanks.
    init(_ slug: String, on event: String, steps: String) {
        self.slug = slug
        text = """
            workflow: \(slug)
            enabled: true
            allowReentry: true
            trigger: {event: \(event)}
            steps:
            \(steps)
            templates:
              \(slug):
                type: TRANSACTIONAL
                from: \(Site.inbox)
                subject: "Auto: {{ event.subject }}"
                trackOpens: true
                text: "Thank you."
                html: "<html><body><p>Thank you.</p></body></html>"

            """
    }
}
