import Engine
import EngineTestKit
import Foundation
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// The pages that readers of mail come to, over a real engine.
@Suite struct ReaderPageTests {
    static let folder = APIDescription.file.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "templates/pages").path

    private func configuration() throws -> HTTPConfiguration {
        HTTPConfiguration(port: 0, pages: try PublicPages.read(folder: Self.folder))
    }

    /// Puts a mail to ann into the outbox.
    private func mail(_ server: EngineServer, data: JSONObject = [:]) async throws -> Identifier {
        try await server.engine.apply([
            "workflow": "mail", "enabled": true, "allowReentry": true, "trigger": ["event": "signed_up"],
            "steps": [
                "start": ["type": "TRIGGER", "next": "send"],
                "send": ["type": "SEND_EMAIL", "config": ["template": "hello"]],
            ],
        ])
        try await server.engine.track("signed_up", data: data)
        let now = server.engine.clock.now()
        return try #require(
            try await server.engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }.first
        ).id
    }

    private func path(_ server: EngineServer, _ kind: TokenSigner.Kind, _ entry: Identifier) -> String {
        "/\(kind == .unsubscribe ? "u" : "m")/\(server.engine.context.tokens.token(kind, for: entry))"
    }

    private func post(_ server: EngineServer, _ path: String, _ body: String) async throws -> Answer {
        try await server.client.request(
            "POST", path, [("Content-Type", "application/x-www-form-urlencoded")], body: Array(body.utf8))
    }

    private func isSubscribed(_ server: EngineServer) async throws -> Bool? {
        try await server.engine.contact()?.isSubscribed
    }

    // MARK: Unsubscribe

    @Test(arguments: ["GET", "HEAD"])
    func lookingNeverUnsubscribes(method: String) async throws {
        try await withEngine(configuration()) { server in
            let path = path(server, .unsubscribe, try await mail(server))
            let answer = try await server.client.request(method, path)
            #expect(answer.status == 200)
            #expect(answer.text.isEmpty == (method == "HEAD"))
            #expect(try await isSubscribed(server) == true)
        }
    }

    @Test func thePageAsksWithAFormAndNothingFromElsewhere() async throws {
        try await withEngine(configuration()) { server in
            let path = path(server, .unsubscribe, try await mail(server))
            let answer = try await server.client.request("GET", path)
            #expect(answer.text.contains("<form method=\"post\">") && answer.text.contains("<button type=\"submit\""))
            #expect(answer.text.contains("a…@example.org") && !answer.text.contains("ann@example.org"))
            for never in ["<script", "http://", "https://", "onclick", "src=", "url("] {
                #expect(!answer.text.contains(never), "\(never)")
            }
            let nonce = try #require(answer.text.firstMatch(of: /nonce="([A-Za-z0-9_-]{22})"/)?.1)
            let fields = answer.fields.filter { $0.name != "Date" && $0.name != "X-Request-Id" }
                .map { "\($0.name): \($0.value)" }.filter { !$0.hasPrefix("Content-Length") }.sorted()
            #expect(
                fields == [
                    "Cache-Control: no-store", "Content-Language: en",
                    "Content-Security-Policy: default-src 'none'; style-src 'nonce-\(nonce)'; img-src data:; "
                        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
                    "Content-Type: text/html; charset=utf-8", "Referrer-Policy: no-referrer", "Vary: Accept-Language",
                    "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY", "X-Robots-Tag: noindex, nofollow",
                ])
        }
    }

    private static let oneClicks = [
        ("List-Unsubscribe=One-Click", "one_click"), ("confirm=yes", "page"), ("", "page"),
        ("--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n", "one_click"),
    ]

    @Test(arguments: oneClicks)
    func aPostUnsubscribesWhateverItsBodySays(body: String, reason: String) async throws {
        try await withEngine(configuration()) { server in
            let path = path(server, .unsubscribe, try await mail(server))
            for _ in 0..<2 { #expect(try await post(server, path, body).status == 200) }
            #expect(try await isSubscribed(server) == false)
            let project = server.engine.project.id
            let data = try await server.engine.context.store.read {
                try $0.newestEventData(of: "contact.unsubscribed", in: project, among: 100)
            }
            #expect(data.map { $0["reason"]?.stringValue } == [reason])
        }
    }

    @Test func aMailThatIsGoneIsStillAnsweredWith200() async throws {
        try await withEngine(configuration()) { server in
            let path = path(server, .unsubscribe, Identifier(high: 1, low: 1))
            #expect(try await post(server, path, "List-Unsubscribe=One-Click").status == 200)
            let page = try await server.client.request("GET", path)
            #expect(page.status == 200 && page.text.contains("nothing to end"))
        }
    }

    // MARK: Tokens

    /// Whatever is wrong with a token, the answer is the same.
    @Test func wrongTokensAllGetTheSamePage() async throws {
        try await withEngine(configuration()) { server in
            let entry = try await mail(server)
            let tokens = server.engine.context.tokens
            let good = tokens.token(.unsubscribe, for: entry)
            var paths = [
                "", "x", "%00", String(good.dropLast()), good + "A", String(good.reversed()),
                tokens.token(.open, for: entry),
                tokens.token(.preferences, for: entry), tokens.token(forLinkTo: "https://example.org/", in: entry),
            ].filter { !$0.isEmpty }.map { "/u/\($0)" }
            paths += ["/m/\(good)", "/c/\(good)", "/c/\(tokens.token(.click, for: entry))"]
            var pages: Set<String> = []
            for path in paths {
                for method in path.hasPrefix("/c") ? ["GET"] : ["GET", "POST"] {
                    let answer = try await server.client.request(method, path, body: method == "POST" ? [] : nil)
                    #expect(answer.status == 404, "\(method) \(path)")
                    #expect(answer.field("Location") == nil)
                    pages.insert(answer.text.replacing(/nonce="[^"]*"/, with: ""))
                }
            }
            #expect(pages.count == 1)
            #expect(try await isSubscribed(server) == true)
        }
    }

    // MARK: Preferences

    @Test func preferencesShowAndSaveWhatAReaderChooses() async throws {
        try await withEngine(configuration()) { server in
            let entry = try await mail(
                server, data: ["locale": "fr", "topics": ["news": true, "<b>": false], "other": 1])
            let path = path(server, .preferences, entry)
            let shown = try await server.client.request("GET", path)
            #expect(shown.field("Content-Language") == "fr")
            #expect(shown.text.contains("value=\"news\" checked"))
            #expect(shown.text.contains("value=\"&lt;b&gt;\">") && !shown.text.contains("<b>"))
            let saved = try await post(server, path, "form=preferences&topic=%3Cb%3E&topic=unknown")
            #expect(saved.status == 200 && saved.text.contains("role=\"status\""))
            let contact = try #require(try await server.engine.contact())
            #expect(!contact.isSubscribed)
            #expect(contact.data["topics"] == ["news": false, "<b>": true])
            // What is no form of ours changes nothing.
            _ = try await post(server, path, "List-Unsubscribe=One-Click&subscribed=yes")
            #expect(try await isSubscribed(server) == false)
            _ = try await post(server, path, "form=preferences&subscribed=yes")
            #expect(try await isSubscribed(server) == true)
        }
    }

    @Test func aLargeFormIsRefused() async throws {
        try await withEngine(configuration()) { server in
            let path = path(server, .preferences, try await mail(server))
            let answer = try await post(server, path, String(repeating: "topic=x&", count: 20_000))
            #expect(answer.status == 413)
            #expect(try await isSubscribed(server) == true)
        }
    }

    // MARK: Clicks

    @Test func aLinkLeadsToItsDestinationAndIsRecorded() async throws {
        try await withEngine(configuration()) { server in
            let entry = try await mail(server)
            let now = server.engine.clock.now()
            try await server.engine.context.store.write {
                _ = try $0.record(AttemptRecord(status: .delivered, at: now, reply: "250 ok"), of: entry)
            }
            server.engine.clock.advance(seconds: 60)
            let path =
                "/c/" + server.engine.context.tokens.token(forLinkTo: "https://shop.example/a?x=1#y", in: entry)
            let browser = ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0")
            for method in ["HEAD", "GET"] {
                let answer = try await server.client.request(method, path, [browser])
                #expect(answer.status == 302)
                #expect(answer.field("Location") == "https://shop.example/a?x=1#y")
                #expect(answer.field("Cache-Control") == "no-store")
                #expect(answer.field("Referrer-Policy") == "no-referrer")
            }
            _ = try await server.engine.contact()
            let project = server.engine.project.id
            let data = try await server.engine.context.store.read {
                try $0.newestEventData(of: "email.clicked", in: project, among: 100)
            }
            #expect(data.map { $0["link"]?.stringValue } == ["https://shop.example/a?x=1#y"])
            #expect(try await server.client.request("POST", path, body: []).status == 405)
        }
    }

    /// A redirect leads to what stood in the mail, whatever is added to its address.
    @Test func aRedirectLeadsNowhereElse() async throws {
        try await withEngine(configuration()) { server in
            let entry = try await mail(server)
            let tokens = server.engine.context.tokens
            let good = tokens.token(forLinkTo: "https://shop.example/a", in: entry)
            let evil = "https%3A%2F%2Fevil.example%2F"
            for path in [
                "/c/https://evil.example/", "/c/\(evil)", "/c//evil.example/", "/c/..//evil.example",
                "//evil.example/c/\(good)x",
                "/c/\(good)/https://evil.example/", "/c/\(good)%0d%0aLocation:%20https://evil.example/",
                "/c/\(good)@evil.example",
                "/c/\(tokens.token(.click, for: entry))?url=\(evil)", "/c/\(tokens.token(.open, for: entry))",
                "/u/\(good)?next=\(evil)", "/c/\(Data("https://evil.example/".utf8).base64EncodedString())",
                "/c?url=\(evil)",
            ] {
                let answer = try await server.client.request("GET", path)
                #expect(answer.status == 404 && answer.field("Location") == nil, "\(path): \(answer.status)")
                #expect(!answer.text.contains("evil.example"), "\(path)")
            }
            for extra in ["?url=\(evil)", "?next=//evil.example", "?u=x&redirect=\(evil)"] {
                let answer = try await server.client.request("GET", "/c/\(good)\(extra)")
                #expect(answer.field("Location") == "https://shop.example/a", "\(extra)")
            }
            // A page's form leads back to itself and nowhere else.
            let path = path(server, .unsubscribe, entry)
            let answer = try await post(server, "\(path)?next=\(evil)", "next=\(evil)&return=//evil.example")
            #expect(answer.status == 200 && answer.field("Location") == nil && !answer.text.contains("evil"))
        }
    }

    // MARK: Files

    private static let standing = OptOuts.Standing(
        address: "a\u{2026}@example.org", projectName: "Shop", isSubscribed: true,
        topics: [.init(key: "news", isChosen: true), .init(key: "offers", isChosen: false)], manageToken: "M")

    /// What people who do not see a page need from it: its language, a title, one heading, and a name for whatever they can use.
    @Test(arguments: ["en", "de", "fr", "nl", "es"])
    func everyPageOfEveryLanguageIsAccessible(language: String) throws {
        let pages = try PublicPages.read(folder: Self.folder)
        var titles: [String: String] = [:]
        for name in PublicPages.Name.allCases {
            let page = try pages.page(
                name, for: .init(locale: language), about: Self.standing, nonce: "n")
            #expect(page.language == language)
            #expect(page.html.contains("<html lang=\"\(language)\">"))
            #expect(page.html.contains("name=\"viewport\""), "it can be enlarged")
            #expect(!page.html.contains("user-scalable") && !page.html.contains("maximum-scale"))
            let title = try #require(page.html.firstMatch(of: /<title>([^<]+)<\/title>/)?.1)
            titles[name.rawValue] = String(title)
            #expect(page.html.ranges(of: "<h1>").count == 1 && page.html.ranges(of: "<main>").count == 1)
            #expect(!page.html.contains("{{") && !page.html.contains("{%") && !page.html.contains("<script"))
            // Whatever can be used has a name in words.
            for button in page.html.matches(of: /<button[^>]*>([^<]*)<\/button>/) { #expect(!button.1.isEmpty) }
            for link in page.html.matches(of: /<a [^>]*>([^<]*)<\/a>/) { #expect(!link.1.isEmpty) }
            for group in page.html.matches(of: /<fieldset>\s*<legend>([^<]*)<\/legend>/) { #expect(!group.1.isEmpty) }
            #expect(page.html.ranges(of: "<fieldset>").count == page.html.ranges(of: "<legend>").count)
            let boxes = page.html.ranges(of: "type=\"checkbox\"").count
            let named = page.html.matches(of: /<label><input type="checkbox"[^>]*> <span>([^<]+)<\/span><\/label>/)
                .count
            #expect(boxes == named && boxes == (name == .preferences ? 3 : 0))
        }
        if language != "en" {
            let english = try PublicPages.read(folder: Self.folder).page(
                .unsubscribe, for: .init(locale: "en"), about: Self.standing, nonce: "n")
            #expect(!english.html.contains(titles["unsubscribe"] ?? ""), "it is another language")
        }
    }

    /// By day and by night: at least 4.5 to 1 between a text and what is behind it (WCAG 2.2, success criterion 1.4.3), 3 to 1
    /// between the border of a control and what is behind it (1.4.11).
    @Test(arguments: [0, 1])
    func coloursAreFarEnoughApart(scheme: Int) throws {
        let layout = try String(contentsOfFile: "\(Self.folder)/layout.html", encoding: .utf8)
        let root = try #require(layout.matches(of: /:root \{([^}]*)\}/).map(\.1).dropFirst(scheme).first)
        var colours: [String: Double] = [:]
        for match in root.matches(of: /--([a-z]+): #([0-9a-f]{3,6});/) {
            colours[String(match.1)] = Self.luminance(String(match.2))
        }
        func contrast(_ one: String, _ other: String) throws -> Double {
            let (a, b) = (try #require(colours[one]), try #require(colours[other]))
            return (max(a, b) + 0.05) / (min(a, b) + 0.05)
        }
        for (text, behind) in [("text", "card"), ("soft", "card"), ("main", "card"), ("on", "main"), ("text", "back")] {
            #expect(try contrast(text, behind) >= 4.5, "\(text) on \(behind)")
        }
        for edge in ["line", "good", "main"] { #expect(try contrast(edge, "card") >= 3, "\(edge)") }
    }

    private static func luminance(_ text: String) -> Double {
        let digits = text.count == 3 ? text.map { "\($0)\($0)" }.joined() : text
        let value = Int(digits, radix: 16) ?? 0
        let parts = [value >> 16 & 255, value >> 8 & 255, value & 255].map { part in
            let share = Double(part) / 255
            return share <= 0.04045 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }

    /// An installation's own folder: a copy, with another layout, another text and another language.
    @Test func aCopyOfTheFolderChangesPagesAndAddsALanguage() async throws {
        let copy = FileManager.default.temporaryDirectory.appending(path: "pages-\(UUID().uuidString)").path
        try FileManager.default.copyItem(atPath: Self.folder, toPath: copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try Data("<html lang=\"{{ language }}\"><body class=ours>{{ content | raw }}</body></html>".utf8)
            .write(to: URL(filePath: "\(copy)/layout.html"))
        try Data("{\"unsubscribeHeading\": \"Odhl\u{e1}sit?\", \"topics\": {\"news\": \"Novinky\"}}".utf8)
            .write(to: URL(filePath: "\(copy)/texts/cs.json"))
        try await withEngine(HTTPConfiguration(port: 0, pages: try PublicPages.read(folder: copy))) { server in
            let entry = try await mail(server, data: ["locale": "cs", "topics": ["news": true]])
            let page = try await server.client.request("GET", path(server, .unsubscribe, entry))
            #expect(page.text.hasPrefix("<html lang=\"cs\"><body class=ours>") && page.text.contains("Odhl\u{e1}sit?"))
            #expect(page.text.contains("<button type=\"submit\""), "the page itself is as it was")
            let preferences = try await server.client.request("GET", path(server, .preferences, entry))
            #expect(preferences.text.contains("Novinky") && preferences.field("Content-Language") == "cs")
        }
    }

    @Test(arguments: ["en", "de", "fr", "nl", "es"])
    func everyLanguageHasEveryText(language: String) throws {
        func texts(_ name: String) throws -> JSONObject {
            let data = try Data(contentsOf: URL(filePath: "\(Self.folder)/texts/\(name).json"))
            return try #require(try JSONParser.parse([UInt8](data)).objectValue)
        }
        #expect(try Set(texts(language).keys) == Set(texts("en").keys))
    }

    @Test func aFolderWithoutPagesIsRefusedByName() {
        let error = #expect(throws: PageFolderError.self) { try PublicPages.read(folder: "/nonexistent") }
        #expect(error?.description.contains("/nonexistent/") == true)
    }
}
