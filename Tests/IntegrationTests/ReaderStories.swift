import Foundation
import JSONValue
import ServerTestKit
import Testing

/// What readers do with mail that came to them through real servers.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct ReaderStories {
    private static let news = StoryWorkflow(
        slug: "news",
        text: """
            workflow: news
            enabled: true
            allowReentry: true
            trigger: {event: published}
            templates:
              news:
                type: MARKETING
                subject: News
                from: Shop <news@test.example>
                html: |
                  <body><p><a href="https://shop.example/offer?x=1&amp;y=2">Offer</a></p>
                  <p><a href="{{ unsubscribeUrl }}">Unsubscribe</a></p></body>
            steps:
              published: {type: TRIGGER, next: mail}
              mail: {type: SEND_EMAIL, config: {template: news}, next: done}
              done: {type: EXIT, config: {reason: sent}}
            """)

    private func story() async throws -> StorySite {
        try await StorySite(
            relayPort: nil,
            workflows: [
                Self.news, .note("contact.unsubscribed", slug: "left"), .note("email.clicked", slug: "clicked"),
            ])
    }

    private func environment(_ story: StorySite) -> [String: String?] {
        ["POSTRIDER_SMTP_PORT": "\(story.relayPort)", "POSTRIDER_HTTP_PUBLIC_URL": "https://mail.test.example"]
    }

    private func mail(_ story: StorySite, to address: String) async throws -> SunkMessage {
        try await eventualValue("the mail to \(address) arrives", deadline: .seconds(25)) {
            try await story.site.mailbox(address).last
        }
    }

    /// The path of our server's address behind a mark.
    private func path(_ kind: String, in text: String) throws -> String {
        let text = text.replacing("=\n", with: "")
        let start = try #require(text.range(of: "https://mail.test.example/\(kind)/")).upperBound
        let token = text[start...].prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        return "/\(kind)/\(token)"
    }

    @Test func oneClickThroughARealMailEndsTheNewsletter() async throws {
        let story = try await story()
        let daemon = try await story.site.startDaemon(environment: environment(story))
        #expect(try await daemon.track("published", "ann@reader.example") == 200)
        let mail = try await mail(story, to: "ann@reader.example")
        #expect(mail.values(of: "List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"])
        let field = try #require(mail.values(of: "List-Unsubscribe").first)
        #expect(field.hasPrefix("<https://mail.test.example/u/") && field.hasSuffix(">"))
        let path = try path("u", in: field)
        // A scanner on the way fetches it, and the reader is still there.
        let page = try await daemon.http.get(path)
        #expect(page.status == 200 && page.text.contains("Unsubscribe?"), "\(page.text)")
        try await daemon.waitUntilSettled()
        #expect(try await daemon.executions(of: "left").isEmpty)
        let form = [("Content-Type", "application/x-www-form-urlencoded")]
        let answer = try await daemon.http.post(path, fields: form, "List-Unsubscribe=One-Click")
        #expect(answer.status == 200 && answer.text.contains("unsubscribed"))
        try await daemon.waitForExecution(of: "left", contact: "ann@reader.example", status: "EXITED")
        #expect(try await daemon.track("published", "ann@reader.example") == 200)
        #expect(try await daemon.track("published", "ben@reader.example") == 200)
        _ = try await self.mail(story, to: "ben@reader.example")
        try await daemon.waitUntilSettled()
        #expect(try await story.site.mailbox("ann@reader.example").count == 1)
        let executions = try await daemon.executions(of: "news", contact: "ann@reader.example")
        #expect(executions.count == 2)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func aLinkOfARealMailLeadsOnAndIsAClickAlsoAfterARestart() async throws {
        let story = try await story()
        let daemon = try await story.site.startDaemon(environment: environment(story))
        #expect(try await daemon.track("published", "ann@reader.example") == 200)
        let path = try path("c", in: try await mail(story, to: "ann@reader.example").text)
        try await daemon.process.terminate()
        let second = try await story.site.startDaemon(environment: environment(story))
        let answer = try await second.http.get(path, fields: [("User-Agent", StoryMail.browser)])
        #expect(answer.status == 302)
        #expect(answer.field("Location") == "https://shop.example/offer?x=1&y=2")
        try await second.waitForExecution(of: "clicked", contact: "ann@reader.example", status: "EXITED")
        #expect(try await second.http.get(path + "A").status == 404)
        try await second.process.terminate()
        try await story.stop()
    }

    @Test func suppressedAddressesOfTheCommandLineGetNoMail() async throws {
        let story = try await story()
        let program = try BuiltProduct.path()
        let config = ["--config", story.site.configurationPath]
        try await Site.run(
            program, ["suppression", "add", "--note", "asked by phone"] + config + ["Ann@Reader.example"])
        let line = try await Site.run(program, ["suppression", "list"] + config)
        #expect(line.hasPrefix("ann@reader.example\tmanual\t"), "\(line)")
        let daemon = try await story.site.startDaemon(environment: environment(story))
        #expect(try await daemon.track("published", "ann@reader.example") == 200)
        #expect(try await daemon.track("published", "ben@reader.example") == 200)
        _ = try await mail(story, to: "ben@reader.example")
        try await daemon.waitUntilSettled()
        #expect(try await story.site.mailbox("ann@reader.example").isEmpty)
        try await Site.run(program, ["suppression", "remove"] + config + ["ann@reader.example"])
        #expect(try await daemon.track("published", "ann@reader.example") == 200)
        _ = try await mail(story, to: "ann@reader.example")
        try await daemon.process.terminate()
        try await story.stop()
    }
}
