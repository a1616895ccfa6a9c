import Synchronization

/// What comes one by one, from many threads, and is taken all at once.
final class Gathering<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    /// - Returns: whether it is the first, so that somebody must be told to take.
    func add(_ element: Element) -> Bool {
        elements.withLock {
            $0.append(element)
            return $0.count == 1
        }
    }

    /// In the order in which they came.
    func take() -> [Element] {
        elements.withLock { elements in
            let taken = elements
            elements = []
            return taken
        }
    }
}
