import Foundation
import Glibc
import JSONValue
import ServerTestKit
import Testing

/// A reader's browser: mail from a real mailbox is looked at, its link is followed, its subscription is ended and chosen anew,
/// all without a script.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct BrowserStories {
    private static let reader = "anna@reader.example"
    private static let person =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

    private static func news(shop: UInt16) -> StoryWorkflow {
        StoryWorkflow(
            slug: "news",
            text: """
                workflow: news
                enabled: true
                allowReentry: true
                trigger: {event: published}
                templates:
                  news:
                    type: MARKETING
                    subject: "Neues für Sie"
                    from: Shop <news@test.example>
                    trackOpens: true
                    html: |
                      <html><body style="font-family: sans-serif"><h1>Grüße!</h1>
                      <p><a id="offer" href="http://shop.example:\(shop)/offer?x=1&amp;y=%C3%BC">Zum Angebot</a></p>
                      <p><a id="out" href="{{ unsubscribeUrl }}">Abbestellen</a>
                      <a id="manage" href="{{ manageUrl }}">Einstellungen</a></p></body></html>
                steps:
                  published: {type: TRIGGER, next: mail}
                  mail: {type: SEND_EMAIL, config: {template: news}, next: done}
                  done: {type: EXIT, config: {reason: sent}}
                """)
    }

    @Test func aReaderOpensClicksLeavesAndComesBackWithoutAScript() async throws {
        let directory = try ServerDirectory.temporary()
        let browser: PrivateChromium
        do {
            browser = try await PrivateChromium.start(in: directory)
        } catch let error as FixtureError where error.code == .unavailable {
            print("skipped: no story with a browser: \(error.explanation)")
            return
        }
        let shop = try Self.shop()
        let story = try await StorySite(
            relayPort: nil,
            workflows: [
                Self.news(shop: shop.port), .note("email.opened", slug: "opened"),
                .note("email.clicked", slug: "clicked"), .note("contact.unsubscribed", slug: "left"),
                .note("contact.subscribed", slug: "back"),
            ], in: directory)
        try await story.site.postfix.reconfigure {
            $0.delivery = .maildir
            $0.domains.append("reader.example")
        }
        let port = try freePort()
        let daemon = try await story.site.startDaemon(environment: [
            "POSTRIDER_SMTP_PORT": "\(story.relayPort)", "POSTRIDER_HTTP_PORT": "\(port)",
            "POSTRIDER_HTTP_PUBLIC_URL": "http://links.shop.example:\(port)",
            "POSTRIDER_HTTP_PAGES": "\(BuiltProduct.packageRoot)/templates/pages",
        ])
        let about: JSON = ["locale": "de", "topics": ["news": true, "offers": true]]
        #expect(try await daemon.track("published", Self.reader, data: about) == 200)
        let text = try await eventualValue("the mail is in its mailbox", deadline: .seconds(25)) {
            try await story.site.postfix.inbox().first
        }
        let page = "file://\(try await Self.html(of: text, in: directory))"

        // A browser that says that nobody sits before it: a scanner. It opens and follows, and nothing is concluded from it.
        try await browser.open(page)
        try await browser.click("#offer")
        try await browser.wait("the shop is reached", until: "document.title === 'Shop'")
        try await daemon.waitUntilSettled()
        #expect(try await daemon.executions(of: "opened").isEmpty)
        #expect(try await daemon.executions(of: "clicked").isEmpty)

        try await browser.pretend(userAgent: Self.person, languages: "en-GB,en")
        try await browser.open(page)
        #expect(
            try await browser.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)") == true,
            "the pixel is a picture")
        try await daemon.waitForExecution(of: "opened", contact: Self.reader, status: "EXITED")
        try await Self.photograph(browser, "mail")
        try await browser.click("#offer")
        try await browser.wait("the shop is reached", until: "document.title === 'Shop'")
        #expect(
            try await browser.evaluate("location.href")
                == .string("http://shop.example:\(shop.port)/offer?x=1&y=%C3%BC"))
        #expect(try await browser.evaluate("document.referrer") == "", "the shop does not learn the mail's link")
        let clicked = try await daemon.waitForExecution(of: "clicked", contact: Self.reader, status: "EXITED")
        #expect(clicked["contact"]?["email"]?.stringValue == Self.reader)

        try await Self.leave(browser, page, daemon)
        try await Self.choose(browser, page, daemon)
        try await browser.stop()
        try await daemon.process.terminate()
        shop.stop()
        try await story.stop()
    }

    /// The page asks, the button ends the subscription, and only that.
    private static func leave(_ browser: PrivateChromium, _ page: String, _ daemon: RunningDaemon) async throws {
        try await browser.open(page)
        try await browser.click("#out")
        try await browser.wait("the page asks", until: "document.querySelectorAll('form button').length === 1")
        try await expectReadable(browser, named: "unsubscribe")
        #expect(try await daemon.executions(of: "left").isEmpty, "looking is no leaving")
        try await browser.click("form button")
        try await daemon.waitForExecution(of: "left", contact: reader, status: "EXITED")
        try await browser.wait("the page says so", until: "document.querySelector('h1') !== null")
        try await expectReadable(browser, named: "unsubscribed")
    }

    /// Comes back for one topic of two, by clicking on the words beside the boxes.
    private static func choose(_ browser: PrivateChromium, _ page: String, _ daemon: RunningDaemon) async throws {
        try await browser.open(page)
        try await browser.click("#manage")
        try await browser.wait(
            "the page is there", until: "document.querySelectorAll('input[name=topic]').length === 2")
        try await expectReadable(browser, named: "preferences")
        #expect(try await browser.evaluate("document.querySelector('input[name=subscribed]').checked") == false)
        try await browser.click("label:has(input[name=subscribed]) span")
        try await browser.click("label:has(input[value=offers]) span")
        try await browser.click("button[type=submit]")
        try await browser.wait("it says that it is saved", until: "document.querySelector('[role=status]') !== null")
        try await expectReadable(browser, named: "saved")
        try await daemon.waitForExecution(of: "back", contact: reader, status: "EXITED")
        let contacts = try await daemon.api("/contacts?search=\(reader)")["data"]?.arrayValue ?? []
        #expect(contacts.first?["subscribed"] == true)
        #expect(contacts.first?["data"]?["topics"] == ["news": true, "offers": false])
    }

    /// What people who do not see the page, or hardly, need from it.
    private static func expectReadable(_ browser: PrivateChromium, named name: String) async throws {
        try await photograph(browser, name)
        #expect(try await browser.evaluate("document.documentElement.lang") == "de", "the contact's language: \(name)")
        #expect(
            try await browser.evaluate("document.title.length > 0 && document.querySelectorAll('h1').length === 1")
                == true)
        #expect(try await browser.evaluate("document.scripts.length === 0") == true)
        #expect(
            try await browser.evaluate("performance.getEntriesByType('resource').length") == 0,
            "nothing is loaded beside the page: \(name)")
        #expect(
            try await browser.evaluate("document.documentElement.scrollWidth <= innerWidth") == true,
            "nothing is cut off: \(name)")
        let nodes = try await browser.accessibleNames()
        for role in ["button", "checkbox", "heading", "link"] {
            #expect(!nodes.contains("\(role) "), "a \(role) without a name: \(name)")
        }
        #expect(nodes.contains { $0.hasPrefix("heading ") } && nodes.contains { $0.hasPrefix("main") }, "\(nodes)")
        let faint = try await browser.evaluate(contrast)
        #expect(faint == [], "text that is hard to read: \(name)")
    }

    /// Texts whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, success criterion 1.4.3).
    private static let contrast = """
        (() => {
          const parts = c => c.match(/[0-9.]+/g).map(Number);
          const light = c => {
            const [r, g, b] = parts(c).slice(0, 3).map(v => v / 255)
              .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const behind = e => {
            for (; e; e = e.parentElement) {
              const c = getComputedStyle(e).backgroundColor, p = parts(c);
              if (p.length === 3 || p[3] === 1) return c;
            }
            return 'rgb(255, 255, 255)';
          };
          return [...document.querySelectorAll('body *')]
            .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
            .filter(e => {
              const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
              return (a + 0.05) / (b + 0.05) < 4.5;
            }).map(e => e.textContent);
        })()
        """

    // MARK: Around it

    /// Pictures are kept where `POSTRIDER_SCREENSHOTS` says, for somebody who looks at them.
    private static func photograph(_ browser: PrivateChromium, _ name: String) async throws {
        guard let folder = ProcessInfo.processInfo.environment["POSTRIDER_SCREENSHOTS"] else { return }
        try await browser.photograph(to: "\(folder)/\(name).png")
    }

    /// The HTML of a mail as another program reads it, in a file.
    private static func html(of mail: String, in directory: ServerDirectory) async throws -> String {
        let source = try directory.write("mail.eml", mail)
        let target = directory.path("mail.html")
        let program = """
            import email, email.policy, sys
            mail = email.message_from_file(open(sys.argv[1]), policy=email.policy.default)
            text = mail.get_body(("html",)).get_content()
            open(sys.argv[2], "w", encoding="utf-8").write('<meta charset="utf-8">' + text)
            """
        let result = try await Privilege.run(["python3", "-c", program, source, target])
        guard result.succeeded else { throw FixtureError(.malformed, "the mail's HTML: \(result.output)") }
        return target
    }

    /// Where the link of the mail leads.
    private static func shop() throws -> LoopbackServer {
        let server = try LoopbackServer()
        server.start { peer in
            var buffer = [UInt8](repeating: 0, count: 8192)
            guard read(peer, &buffer, buffer.count) > 0 else { return }
            let page = "<!doctype html><html lang=de><title>Shop</title><h1>Angebot</h1></html>"
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: \(page.utf8.count)\r\n"
                + "Connection: close\r\n\r\n\(page)"
            _ = send(peer, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
        }
        return server
    }
}
