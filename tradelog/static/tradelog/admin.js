// What django-unfold's pages expect to find in `window` from within Alpine, whose build
// without eval looks there for nothing.
document.addEventListener("alpine:init", () => {
  for (const component of [theme, searchForm, searchDropdown, searchCommand]) {
    Alpine.data(component.name, component);
  }

  Alpine.data("page", (firstTab) => ({
    activeTab: firstTab,
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem("sidebarDesktopOpen") !== "0",
    window: {
      location: { pathname: window.location.pathname, search: window.location.search },
    },
    init() {
      this.activeTab = getCurrentTab() || firstTab;
      this.$watch("sidebarDesktopOpen", (open) =>
        localStorage.setItem("sidebarDesktopOpen", open ? "1" : "0"),
      );
    },
  }));
});
