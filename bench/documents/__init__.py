"""What finance gets: exports of a period, statements of one large invoice."""
