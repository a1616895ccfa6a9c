import JSONValue

/// Something that happened to a contact, in the past tense: the input of the machine.
package struct Event: Hashable, Sendable {
    /// Who recorded the event.
    package enum Source: String, Sendable {
        /// A client, through the API.
        case api
        /// Postrider itself.
        case system
    }

    package var id: Identifier
    /// The canonical name.
    package var name: String
    package var data: JSONObject
    package var source: Source
    /// How many events of our own making stand between this one and the outside world: 0 for a cause from outside,
    /// one more than its cause for an event that a workflow brought about.
    package var generation: Int
    package var createdAt: Timestamp

    /// Whether it is a click in a mail in which there was one before. Filters ask for the first in each mail: an old mail that
    /// is opened again is no sign that somebody reads the new ones.
    package var isRepeatedClick: Bool { name == EventName.emailClicked && data["isFirstClick"] == false }

    package init(
        id: Identifier, name: String, data: JSONObject, source: Source, generation: Int = 0, createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.data = data
        self.source = source
        self.generation = generation
        self.createdAt = createdAt
    }
}
