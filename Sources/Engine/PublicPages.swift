import JSONValue
import Liquid
import WorkflowModel

/// The pages that readers of mail see, from templates and texts that an installation may replace.
///
/// A page is a Liquid template inside the layout, in the first language of the reader's that there are texts for. Every
/// value is escaped for HTML.
package struct PublicPages: Sendable {
    /// The raw values are the names of their files.
    package enum Name: String, Hashable, Sendable, CaseIterable {
        /// Asks whether the subscription shall end.
        case unsubscribe
        /// Says that it has ended.
        case unsubscribed
        case preferences
        /// For an address that leads nowhere.
        case notFound = "not-found"
        /// For a moment at which the database does not answer.
        case unavailable
    }

    /// What the pages are made of.
    package struct Sources: Sendable {
        package var layout: String
        package var pages: [Name: String]
        /// By language, in lower case: `en`, `pt-br`.
        package var texts: [String: JSONObject]

        package init(layout: String, pages: [Name: String], texts: [String: JSONObject]) {
            self.layout = layout
            self.pages = pages
            self.texts = texts
        }
    }

    /// Why sources are no pages.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Who reads a page.
    package struct Reader: Sendable {
        /// What the contact's data say.
        package var locale: String?
        /// What the browser asks for.
        package var acceptLanguage: String?

        package init(locale: String? = nil, acceptLanguage: String? = nil) {
            self.locale = locale
            self.acceptLanguage = acceptLanguage
        }
    }

    package struct Page: Sendable {
        package var html: String
        package var language: String
    }

    /// The language where no other fits; its texts also stand in for those that another language lacks.
    package static let mainLanguage = "en"

    private let layout: Template
    private let pages: [Name: Template]
    private let texts: [String: JSONObject]

    /// - Throws: `Failure` for a page that is missing or does not parse, and for sources without English texts.
    package init(_ sources: Sources) throws {
        guard let main = sources.texts[Self.mainLanguage] else {
            throw Failure(description: "there are no texts in \(Self.mainLanguage), which stand in for all others")
        }
        layout = try Self.parse(sources.layout, name: "layout")
        pages = try Name.allCases.reduce(into: [:]) { pages, name in
            guard let source = sources.pages[name] else {
                throw Failure(description: "the page \(name.rawValue) is missing")
            }
            pages[name] = try Self.parse(source, name: name.rawValue)
        }
        texts = sources.texts.mapValues { own in
            var all = main
            for (key, text) in own { all[key] = text }
            return all
        }
    }

    private static func parse(_ source: String, name: String) throws -> Template {
        do { return try Template(parsing: source, name: name) } catch {
            throw Failure(description: "the page \(name) is no template: \(error)")
        }
    }

    /// - Parameters:
    ///   - standing: what there is to say about the reader; nil on pages that say nothing.
    ///   - nonce: what marks the page's own style as ours (Content Security Policy).
    package func page(
        _ name: Name, for reader: Reader, about standing: OptOuts.Standing? = nil, isSaved: Bool = false, nonce: String
    ) throws -> Page {
        let language = PreferredLanguage.choose(
            among: Set(texts.keys), locale: standing?.locale ?? reader.locale, acceptLanguage: reader.acceptLanguage)
        let words = Self.words(texts[language] ?? [:], about: standing)
        let topics = words["topics"]?.objectValue ?? [:]
        var values: JSONObject = [
            "t": .object(words), "language": .string(language), "page": .string(name.rawValue),
            "nonce": .string(nonce), "saved": .bool(isSaved),
            "subscribed": .bool(standing?.isSubscribed ?? false), "known": .bool(standing?.address != nil),
        ]
        values["address"] = standing?.address.map { .string($0) }
        values["project"] = standing.map { .string($0.projectName) }
        values["managePath"] = standing.map { .string("../m/\($0.manageToken)") }
        values["topics"] = .array(
            (standing?.topics ?? []).map { topic in
                [
                    "key": .string(topic.key), "name": topics[topic.key] ?? .string(topic.key),
                    "chosen": .bool(topic.isChosen),
                ]
            })
        let options = RenderOptions(escaping: .html, now: 0)
        values["content"] = .string(try pages[name]?.render(values, options: options) ?? "")
        return Page(html: try layout.render(values, options: options), language: language)
    }

    /// `{address}` and `{project}` stand in texts for what they name.
    private static func words(_ texts: JSONObject, about standing: OptOuts.Standing?) -> JSONObject {
        JSONObject(
            texts.map { key, value in
                guard let text = value.stringValue else { return (key, value) }
                return (
                    key,
                    .string(
                        text.replacing("{address}", with: standing?.address ?? "")
                            .replacing("{project}", with: standing?.projectName ?? ""))
                )
            })
    }
}

/// Which of the languages there are a reader should get.
enum PreferredLanguage {
    /// - Parameters:
    ///   - languages: tags in lower case.
    ///   - locale: counts before the browser's list (RFC 9110 section 12.5.4).
    static func choose(among languages: Set<String>, locale: String?, acceptLanguage: String?) -> String {
        let wanted = (locale.map { [$0] } ?? []) + accepted(acceptLanguage ?? "")
        for tag in wanted {
            var tag = tag.lowercased().replacing("_", with: "-")
            // From the most to the least special (RFC 4647 section 3.4).
            while !tag.isEmpty {
                if languages.contains(tag) { return tag }
                guard let end = tag.lastIndex(of: "-") else { break }
                tag = String(tag[..<end])
            }
        }
        return PublicPages.mainLanguage
    }

    /// The tags of the field, the most wanted first.
    private static func accepted(_ field: String) -> [String] {
        let tags = field.prefix(1000).split(separator: ",").prefix(20).enumerated().compactMap {
            position, part -> (tag: String, quality: Double, position: Int)? in
            let pieces = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let tag = pieces.first else { return nil }
            let quality = pieces.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            return quality > 0 ? (tag, quality, position) : nil
        }
        return tags.sorted { ($0.quality, -$0.position) > ($1.quality, -$1.position) }.map(\.tag)
    }
}
