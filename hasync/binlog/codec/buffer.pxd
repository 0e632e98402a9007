cdef class Buffer:
    cdef unsigned char[::1] view
    cdef public Py_ssize_t at
    cdef Py_ssize_t room

    cdef int reserve(self, Py_ssize_t size_bytes) except -1
    cdef int byte(self, int value) except -1
    cdef int put(self, bytes text) except -1
    cdef int copy(self, bytes data, Py_ssize_t at, Py_ssize_t size_bytes) except -1
    cdef int zeros(self, Py_ssize_t size_bytes) except -1
    cdef int number(self, unsigned long long value) except -1
    cdef int padded(self, unsigned long long value, int digits) except -1
    cdef Py_ssize_t begin(self) except -1
    cdef int finish(self, Py_ssize_t start) except -1
    cdef bint same(self, Py_ssize_t one, Py_ssize_t other, Py_ssize_t size_bytes) except -1
    cdef bint begins_with(self, Py_ssize_t at, bytes prefix) except -1
    cdef int drop_front(self, Py_ssize_t size_bytes) except -1
