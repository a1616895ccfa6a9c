import MailFormat

/// The limits and choices of the engine, as plain values.
package struct EngineConfiguration: Sendable {
    /// An event this many generations away from the outside world starts and resumes nothing more.
    package var generationLimit = 10
    /// Bytes of JSON that one event's data may have.
    package var eventDataLimit = 64 * 1024
    /// How much of a message is read.
    package var readingLimits = ReadingLimits()
    /// How long one request may go through contacts by a filter or a search.
    package var searchLimit = Duration.seconds(5)
    /// How long a mail with temporary failures is tried, in seconds.
    package var maximalLifetime: Int64 = 5 * 86_400
    /// First and longest pause between two attempts, in seconds; it doubles in between.
    package var firstRetry: Int64 = 60
    package var longestRetry: Int64 = 4 * 3600
    /// Names of the relays.
    package var relayNames: [String] = []
    /// How fast mail may leave.
    package var pacing: [PacingRule] = []
    /// From address of mails whose template has none; nil refuses them.
    package var defaultFrom: String?
    /// Right side of Message-IDs; nil takes the domain of From.
    package var messageIDDomain: String?
    /// Name of this host, the last resort for a Message-ID.
    package var hostName = "localhost"
    /// From address of automatic replies; nil takes the address that was written to.
    package var autoReplyFrom: String?
    /// What is recorded of readers at most; projects, templates and mails can only allow less.
    package var opens = TrackingMode.on
    package var clicks = TrackingMode.on
    /// Where pixels and links lead, without a slash at its end; nil: to where our pages are.
    package var trackingURL: String?
    package var suppression = SuppressionPolicy()
    /// Where mail of ours comes back to.
    package var returnAddresses = ReturnAddresses()
    /// Whether our own mail is noted on its way into the MTA's queue.
    package var notesSubmissions = true
    /// A pixel fetched sooner than this after the relay took the mail was fetched by a machine, and a link that is
    /// followed within twice that time too; seconds.
    package var prefetchWindow: Int64 = 5
    /// Pixel hits stored per mail.
    package var hitLimit = 100
    package var replies = ReplyLimits()
    package var rawMail = RawMailPolicy()
    /// Addresses that never get an automatic reply, lower case.
    package var ownAddresses: Set<String> = []
    /// Where webhooks may go, for what is refused when it is saved.
    package var webhookDestinations = WebhookDestinations()

    /// How often one client network may try keys that nobody has; nil does not count.
    package var strangerRate: Rate? = Rate(perSecond: 1, burst: 100)

    package init() {}
}
