import JSONValue

/// What the machine needs from around it, all of it without effect: the templates of the project, and ids made
/// beforehand.
package protocol MachineEnvironment {
    /// Renders a one-line value of a step's options.
    /// - Throws: when the template has an error or goes beyond a limit.
    func render(_ source: String, scope: Scope) throws -> String

    /// The template of that slug or id; nil when the project has none.
    func template(_ reference: String) -> TemplateSummary?

    /// Why one more automatic reply of that kind may not go out; nil when it may. The last line against robots that
    /// answer robots without any mark of their own.
    /// - Parameter earlier: replies of the same move, which nobody has counted yet.
    func refusal(of reply: ReplyKey, after earlier: [ReplyKey]) -> String?

    /// Why an address gets no mail of that kind; nil when nothing stands against it.
    func suppression(of address: String, kind: TemplateSummary.Kind) -> String?

    /// The id for a mail about to be requested.
    func makeMailID() -> Identifier

    /// The id for a webhook call about to be requested.
    func makeCallID() -> Identifier

    /// The oldest event of the execution's contact, later than what started the execution, that has one of these names
    /// and passes the test.
    func firstEvent(named names: [String], since execution: Execution, where test: (Event) -> Bool) -> Event?

    /// The same for a wait that does not look back, so that what it misses can be told: only of events that are kept anyway,
    /// because some other workflow looks back on them.
    func keptEvent(named names: [String], since execution: Execution, where test: (Event) -> Bool) -> Event?

    /// When the contact last had an event of that name; nil when it never had one, or nobody keeps them.
    func lastOccurrence(of event: String, contact: Identifier) -> Timestamp?

    /// What the clocks of time zones show.
    var zones: any TimeZoneRules { get }

    /// The project's time zone, by its IANA name.
    var projectZone: String { get }

    /// Whether the contact belongs to the segment of that id or slug.
    func isMember(_ contact: Identifier, ofSegment segment: String) -> Bool
}

/// What the machine has to know of a mail template.
package struct TemplateSummary: Hashable, Sendable {
    /// The raw values are what the database and the API show.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case marketing = "MARKETING"
        case transactional = "TRANSACTIONAL"
        /// Marketing whose author does without the fields and the footer by which one unsubscribes.
        case headless = "HEADLESS"
        /// A part of other templates; no mail is made from it alone.
        case partial = "PARTIAL"

        /// Whether an unsubscribed contact gets none.
        package var needsSubscription: Bool { self != .transactional }
    }

    package var id: Identifier
    /// The immutable version that a mail requested now is rendered from.
    package var versionID: Identifier
    package var kind: Kind
    /// Paths of the variables that subject, bodies and partials mention.
    package var variablePaths: [[String]]
    /// The versions of the partials that a mail requested now is rendered with, by name.
    package var partials: [String: Identifier]

    package init(
        id: Identifier, versionID: Identifier, kind: Kind, variablePaths: [[String]],
        partials: [String: Identifier] = [:]
    ) {
        self.id = id
        self.versionID = versionID
        self.kind = kind
        self.variablePaths = variablePaths
        self.partials = partials
    }
}
