// The switch between light and dark; until it is used the page follows the system.
function themeSwitch() {
  const root = document.documentElement;
  const chosen = memory.get('theme');
  if (chosen) root.dataset.theme = chosen;
  const dark = () => root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const button = el('button', {
    type: 'button', class: 'quiet theme-switch', 'aria-label': 'Light or dark', title: 'Light or dark',
    onclick() {
      root.dataset.theme = dark() ? 'light' : 'dark';
      memory.set('theme', root.dataset.theme);
    },
  }, '◐');
  return button;
}
